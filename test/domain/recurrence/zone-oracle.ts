/** A slow, independent reading of a zone's clock, by asking Intl minute by minute. Nothing here is shared with src. */

const formats = new Map<string, Intl.DateTimeFormat>();

/** Local time of an instant as if its clock were UTC, both in milliseconds. */
export function localOf(tzid: string, instant: number): number {
  let format = formats.get(tzid);
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: tzid,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    formats.set(tzid, format);
  }
  const parts = Object.fromEntries(
    format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]),
  ) as Record<string, number>;
  return Date.UTC(
    parts.year as number,
    (parts.month as number) - 1,
    parts.day,
    parts.hour,
    parts.minute,
    parts.second,
  );
}

export const offsetOf = (tzid: string, instant: number): number => localOf(tzid, instant) - instant;

const quarters = new Map<string, number>();

/** As {@link offsetOf}, remembered by quarter hours: in this century no zone changes its clock at another minute. */
export function quarterOffsetOf(tzid: string, instant: number): number {
  const quarter = Math.floor(instant / 900_000);
  const key = `${tzid}${quarter}`;
  let offset = quarters.get(key);
  if (offset === undefined) {
    offset = offsetOf(tzid, quarter * 900_000);
    if (quarters.size > 500_000) quarters.clear();
    quarters.set(key, offset);
  }
  return offset;
}

/** All instants of a local time, or for one in a gap the end of the gap and the time shifted by the offset before. */
export function instantsOf(
  tzid: string,
  wall: number,
): { found: number[]; gap?: { end: number; shifted: number } } {
  const offsets = new Set<number>();
  for (let hour = -48; hour <= 48; hour += 2) offsets.add(quarterOffsetOf(tzid, wall + hour * 3_600_000));
  const found = [...offsets]
    .map((offset) => wall - offset)
    .filter((instant) => localOf(tzid, instant) === wall)
    .sort((a, b) => a - b);
  if (found.length > 0) return { found };
  // The clock passes `wall` without showing it: find the minute in which it jumps.
  for (let minute = Math.floor(wall / 60_000) - 30 * 60; ; minute += 1) {
    const [before, after] = [localOf(tzid, (minute - 1) * 60_000), localOf(tzid, minute * 60_000)];
    if (before < wall && after > wall && after - before > 60_000) {
      return { found: [], gap: { end: minute * 60_000, shifted: wall - (before - (minute - 1) * 60_000) } };
    }
  }
}

/** The transitions of a zone between two instants, to the minute, found by bisection between days. */
export function transitionsOf(
  tzid: string,
  from: number,
  to: number,
): { at: number; before: number; after: number }[] {
  const found: { at: number; before: number; after: number }[] = [];
  const step = 86_400_000;
  let before = offsetOf(tzid, from);
  for (let day = from; day < to; day += step) {
    const after = offsetOf(tzid, day + step);
    if (after === before) continue;
    let [low, high] = [day, day + step];
    while (high - low > 1000) {
      const middle = low + Math.floor((high - low) / 2000) * 1000;
      if (offsetOf(tzid, middle) === before) low = middle;
      else high = middle;
    }
    found.push({ at: high, before, after });
    before = after;
  }
  return found;
}
