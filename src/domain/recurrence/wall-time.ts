import { civilDate, DAY, dayNumber, weekday } from './civil.js';
import { type TimeZone, timeZone } from './time-zone.js';

/** What happens to a local time that a change of offset leaves out. */
export type GapPolicy = 'shift' | 'next' | 'skip';
/** What happens to a local time that comes twice. */
export type FoldPolicy = 'first' | 'second' | 'both';

/** A local date and time without a zone; `month` is 1 to 12. */
export interface WallTime {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

/** A local date and time at an instant, with what is handy to know about it. */
export interface LocalParts extends WallTime {
  /** 1 is Monday, 7 is Sunday (ISO 8601). */
  weekday: number;
  /** Local time minus UTC, seconds. */
  offset: number;
}

/** How a local time sits on the time line of a zone; instants in epoch seconds. */
export type WallResolution =
  | { kind: 'unique'; instant: number }
  | { kind: 'fold'; first: number; second: number }
  | { kind: 'gap'; shifted: number; end: number };

// No zone was ever further from UTC than 15 h 14 min, and no change larger than 24 h.
const REACH = 40 * 3600;

/** The seconds a local time would have since 1970 if its clock were UTC. */
export function wallSecond(wall: WallTime): number {
  return dayNumber(wall.year, wall.month, wall.day) * DAY + wall.hour * 3600 + wall.minute * 60 + wall.second;
}

/** The inverse of {@link wallSecond}. */
export function wallTime(second: number): WallTime {
  const day = Math.floor(second / DAY);
  const time = second - day * DAY;
  const { year, month, day: dayOfMonth } = civilDate(day);
  return {
    year,
    month,
    day: dayOfMonth,
    hour: Math.trunc(time / 3600),
    minute: Math.trunc((time % 3600) / 60),
    second: time % 60,
  };
}

/** Finds a local time on a zone's time line: once, twice (fold) or not at all (gap). */
export function resolveWall(zone: TimeZone, wall: number): WallResolution {
  const found: number[] = [];
  let gap: WallResolution | null = null;
  for (
    let segment = zone.segmentAt(wall - REACH);
    segment.start <= wall + REACH;
    segment = zone.segmentAt(segment.end)
  ) {
    const instant = wall - segment.offset;
    if (instant >= segment.start && instant < segment.end) found.push(instant);
    if (wall >= segment.start + segment.before && wall < segment.start + segment.offset) {
      gap = { kind: 'gap', shifted: wall - segment.before, end: segment.start };
    }
    if (segment.end === Infinity) break;
  }
  const [first, second] = found;
  if (first !== undefined && second !== undefined) return { kind: 'fold', first, second };
  if (first !== undefined) return { kind: 'unique', instant: first };
  return gap ?? { kind: 'unique', instant: wall - zone.offsetAt(wall) };
}

/** The instants (epoch seconds, none to two) a local time stands for under a policy. */
export function instantsOfWall(zone: TimeZone, wall: number, gap: GapPolicy, fold: FoldPolicy): number[] {
  const found = resolveWall(zone, wall);
  if (found.kind === 'unique') return [found.instant];
  if (found.kind === 'gap') return gap === 'skip' ? [] : [gap === 'shift' ? found.shifted : found.end];
  if (fold === 'both') return [found.first, found.second];
  return [fold === 'first' ? found.first : found.second];
}

/**
 * The instant of a local time, epoch milliseconds. A time in a gap is read with the offset before the gap
 * (02:30 becomes 03:30, RFC 5545 section 3.3.5) or, with gap `next`, moved to its end; a time that comes twice
 * is its first or, with fold `second`, its second.
 * @throws PaoError PAO_SCHEDULE_INVALID when the zone does not exist.
 */
export function wallToInstant(
  tzid: string,
  wall: WallTime,
  policy: { gap?: 'shift' | 'next'; fold?: 'first' | 'second' } = {},
): number {
  const [instant] = instantsOfWall(
    timeZone(tzid),
    wallSecond(wall),
    policy.gap ?? 'shift',
    policy.fold ?? 'first',
  );
  return (instant as number) * 1000;
}

/**
 * The local date and time of an instant (epoch milliseconds) in a zone.
 * @throws PaoError PAO_SCHEDULE_INVALID when the zone does not exist.
 */
export function localParts(tzid: string, instant: number): LocalParts {
  const second = Math.floor(instant / 1000);
  const offset = timeZone(tzid).offsetAt(second);
  const local = second + offset;
  return { ...wallTime(local), weekday: weekday(Math.floor(local / DAY)) + 1, offset };
}
