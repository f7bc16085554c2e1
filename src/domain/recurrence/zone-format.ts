import { localParts, type WallTime, wallTime } from './wall-time.js';

const WEEKDAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

/** How {@link formatInZone} writes an instant. */
export type ZoneStyle =
  /** `Tue 24 Nov 2026 08:30`; seconds only when there are any. */
  | 'person'
  /** `2026-11-24T08:30:00+02:00`. */
  | 'iso'
  /** `2026-11-24`. */
  | 'date'
  /** `08:30`; seconds only when there are any. */
  | 'time';

const two = (value: number): string => String(value).padStart(2, '0');
const four = (value: number): string => String(value).padStart(4, '0');

/**
 * An instant (epoch milliseconds) as local time of a zone.
 * @throws PaoError PAO_SCHEDULE_INVALID when the zone does not exist.
 */
export function formatInZone(tzid: string, instant: number, style: ZoneStyle = 'person'): string {
  const parts = localParts(tzid, instant);
  switch (style) {
    case 'date':
      return dateText(parts);
    case 'time':
      return timeText(parts);
    case 'iso':
      return `${dateText(parts)}T${two(parts.hour)}:${two(parts.minute)}:${two(parts.second)}${offsetText(parts.offset)}`;
    case 'person':
      return `${WEEKDAYS[parts.weekday - 1]} ${parts.day} ${MONTHS[parts.month - 1]} ${four(parts.year)} ${timeText(parts)}`;
  }
}

/** An instant (epoch milliseconds) as RFC 3339 UTC in whole seconds: `2026-11-24T06:30:00Z`. */
export function isoInstant(instant: number): string {
  const parts = wallTime(Math.floor(instant / 1000));
  return `${dateText(parts)}T${two(parts.hour)}:${two(parts.minute)}:${two(parts.second)}Z`;
}

/** `(06:30Z)`-style time of day in UTC, seconds only when there are any. */
export function utcTime(instant: number): string {
  return `${timeText(wallTime(Math.floor(instant / 1000)))}Z`;
}

function dateText(parts: WallTime): string {
  return `${four(parts.year)}-${two(parts.month)}-${two(parts.day)}`;
}

function timeText(parts: WallTime): string {
  return `${two(parts.hour)}:${two(parts.minute)}${parts.second === 0 ? '' : `:${two(parts.second)}`}`;
}

function offsetText(offset: number): string {
  const size = Math.abs(offset);
  const seconds = size % 60;
  return `${offset < 0 ? '-' : '+'}${two(Math.trunc(size / 3600))}:${two(Math.trunc((size % 3600) / 60))}${seconds === 0 ? '' : `:${two(seconds)}`}`;
}
