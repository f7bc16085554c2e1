/** The days of one month that match, bit 0 for the 1st. `firstWeekday` is the weekday of the 1st, 0 for Monday. */
export type MonthMask = (year: number, month: number, length: number, firstWeekday: number) => number;

/** Bits of the days 1, 8, 15, 22 and 29. */
const WEEKS = (1 << 0) | (1 << 7) | (1 << 14) | (1 << 21) | (1 << 28);

/** The bits of all days of a month of this length. */
export function wholeMonth(length: number): number {
  return 0x7fff_ffff >>> (31 - length);
}

/** The bits of the days of a month that fall on any of some weekdays (bit 0 is Monday). */
export function weekdaysOfMonth(weekdays: number, length: number, firstWeekday: number): number {
  let mask = 0;
  for (let day = 0; day < 7; day += 1) {
    if ((weekdays >>> ((firstWeekday + day) % 7)) & 1) mask |= WEEKS << day;
  }
  return mask & wholeMonth(length);
}

/** The bit of the `ordinal`-th weekday of a month, counted from its end when negative; 0 when there is none. */
export function nthWeekdayOfMonth(
  weekday: number,
  ordinal: number,
  length: number,
  firstWeekday: number,
): number {
  const first = (weekday - firstWeekday + 7) % 7;
  const last = first + 7 * Math.trunc((length - 1 - first) / 7);
  const day = ordinal > 0 ? first + 7 * (ordinal - 1) : last + 7 * (ordinal + 1);
  return day >= 0 && day < length ? 1 << day : 0;
}

/** Index of the lowest bit; the mask is not 0. */
export function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask);
}

/** How many bits are set. */
export function countBits(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return (((bits + (bits >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24;
}

/** Index of the `n`-th set bit, counted from 0; the mask has more than `n` bits. */
export function nthBit(mask: number, n: number): number {
  let rest = mask;
  for (let skip = n; skip > 0; skip -= 1) rest &= rest - 1;
  return lowestBit(rest);
}
