/** Seconds in a civil day. */
export const DAY = 86_400;

/** The last second this library computes with: 9999-12-31T23:59:59. */
export const LAST_SECOND = 253_402_300_799;

/** The first second this library computes with: 0001-01-01T00:00:00. */
export const FIRST_SECOND = -62_135_596_800;

/** A date of the proleptic Gregorian calendar; `month` is 1 to 12. */
export interface CivilDate {
  year: number;
  month: number;
  day: number;
}

const MONTH_LENGTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] as const;
const DAYS_BEFORE_MONTH = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;

/** Whether a year of the proleptic Gregorian calendar has a 29 February. */
export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** 365 or 366. */
export function daysInYear(year: number): number {
  return isLeapYear(year) ? 366 : 365;
}

/** 28 to 31. @param month 1 to 12. */
export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : (MONTH_LENGTHS[month - 1] as number);
}

/** How many days of the year lie before the first of this month. @param month 1 to 12. */
export function daysBeforeMonth(year: number, month: number): number {
  return (DAYS_BEFORE_MONTH[month - 1] as number) + (month > 2 && isLeapYear(year) ? 1 : 0);
}

/** Days since 1970-01-01 of 1 January of a year. */
export function firstDayOfYear(year: number): number {
  const before = year - 1;
  return (
    before * 365 + Math.floor(before / 4) - Math.floor(before / 100) + Math.floor(before / 400) - 719_162
  );
}

/** Days since 1970-01-01. @param month 1 to 12; @param day 1 to 31, not checked. */
export function dayNumber(year: number, month: number, day: number): number {
  return firstDayOfYear(year) + daysBeforeMonth(year, month) + day - 1;
}

/**
 * The date of a day number, by Neri and Schneider's shifted-year arithmetic
 * ("Euclidean affine functions", 2022): no loops, no Date.
 */
export function civilDate(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.trunc(
    (dayOfEra -
      Math.trunc(dayOfEra / 1460) +
      Math.trunc(dayOfEra / 36_524) -
      Math.trunc(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.trunc(yearOfEra / 4) - Math.trunc(yearOfEra / 100));
  const shiftedMonth = Math.trunc((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.trunc((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** Day of the week of a day number: 0 is Monday, 6 is Sunday. */
export function weekday(days: number): number {
  const remainder = (days + 3) % 7;
  return remainder < 0 ? remainder + 7 : remainder;
}

/** Floored modulo: the result has the sign of the (positive) divisor. */
export function modulo(value: number, divisor: number): number {
  const remainder = value % divisor;
  return remainder < 0 ? remainder + divisor : remainder;
}

/** Greatest common divisor of two positive integers. */
export function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

/** Whether year, month (1 to 12) and day name a day that exists, from year 1 to 9999. */
export function isCivilDate(year: number, month: number, day: number): boolean {
  return (
    year >= 1 && year <= 9999 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month)
  );
}
