import { DAY, dayNumber, isCivilDate } from './civil.js';
import { oneProblem, quote } from './schedule-problem.js';
import type { TimeZone } from './time-zone.js';
import { instantsOfWall } from './wall-time.js';

/** A time as it was written: an instant, or a local time that needs a zone; seconds since 1970. */
export type WrittenTime =
  | { kind: 'instant'; second: number; milliseconds: number }
  | { kind: 'wall'; second: number; dateOnly: boolean };

const TIME =
  /^([0-9]{4})(?:-([0-9]{2})-|([0-9]{2}))([0-9]{2})(?:[Tt ]([0-9]{2})(?::?([0-9]{2})(?::?([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?(Z|z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?$/;

/**
 * Reads a time in ISO 8601 / RFC 3339 form (`2024-03-01T09:00:00Z`, `…+02:00`, without an offset, or a date alone)
 * or RFC 5545 form (`20240301T090000Z`, `20240301T090000`, `20240301`); null when it is none of them or does not exist.
 */
export function readTime(text: string): WrittenTime | null {
  const match = text.length <= 40 ? TIME.exec(text.trim()) : null;
  if (!match) return null;
  const [year, month, day] = [match[1], match[2] ?? match[3], match[4]].map(Number) as [
    number,
    number,
    number,
  ];
  const [hour, minute, second] = [match[5], match[6], match[7]].map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
  ];
  if (!isCivilDate(year, month, day) || hour > 23 || minute > 59 || second > 60) return null;
  if (match[5] !== undefined && match[6] === undefined) return null;
  const wall = dayNumber(year, month, day) * DAY + hour * 3600 + minute * 60 + Math.min(second, 59);
  const zone = match[9];
  if (zone === undefined) return { kind: 'wall', second: wall, dateOnly: match[5] === undefined };
  const milliseconds = Number((match[8] ?? '').padEnd(3, '0').slice(0, 3));
  if (zone === 'Z' || zone === 'z') return { kind: 'instant', second: wall, milliseconds };
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0');
  const [offsetHours, offsetMinutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2))];
  if (offsetHours > 23 || offsetMinutes > 59) return null;
  const offset = (offsetHours * 3600 + offsetMinutes * 60) * (zone.startsWith('-') ? -1 : 1);
  return { kind: 'instant', second: wall - offset, milliseconds };
}

/** A start of a rule: its local time in the zone, and its instant, in seconds. */
export interface Anchor {
  wall: number;
  instant: number;
  /** It was written as a date alone. */
  dateOnly: boolean;
}

/**
 * Reads a DTSTART given as text (see {@link readTime}; without an offset it is local time of the zone), or epoch
 * milliseconds or a Date. Fractions of a second are dropped.
 * @throws PaoError PAO_SCHEDULE_INVALID at `pointer` when it is not a time.
 */
export function readAnchor(input: string | number | Date, zone: TimeZone, pointer: string): Anchor {
  const written = readInput(input, pointer);
  if (written.kind === 'instant')
    return {
      wall: written.second + zone.offsetAt(written.second),
      instant: written.second,
      dateOnly: false,
    };
  return {
    wall: written.second,
    instant: instantsOfWall(zone, written.second, 'shift', 'first')[0] as number,
    dateOnly: written.dateOnly,
  };
}

/**
 * Reads a time in the forms of {@link readAnchor}.
 * @returns epoch milliseconds.
 * @throws PaoError PAO_SCHEDULE_INVALID at `pointer` when it is not a time.
 */
export function readInstant(input: string | number | Date, zone: TimeZone, pointer: string): number {
  const written = readInput(input, pointer);
  if (written.kind === 'instant') return written.second * 1000 + written.milliseconds;
  return (instantsOfWall(zone, written.second, 'shift', 'first')[0] as number) * 1000;
}

function readInput(input: string | number | Date, pointer: string): WrittenTime {
  // From JavaScript anything may come, and Number(null) would be 1970.
  const isNumber = typeof input === 'number' || input instanceof Date;
  const written = typeof input === 'string' ? readTime(input) : isNumber ? fromEpoch(Number(input)) : null;
  if (written) return written;
  throw oneProblem(
    pointer,
    `${quote(input)} is not a date and time that exists.`,
    'Write 2026-11-24T08:30:00Z, 2026-11-24T08:30:00+02:00, or 2026-11-24T08:30:00 for local time of the zone.',
  );
}

function fromEpoch(milliseconds: number): WrittenTime | null {
  // Year 1 to 9999, as for text.
  if (
    !Number.isFinite(milliseconds) ||
    milliseconds < -62_135_596_800_000 ||
    milliseconds >= 253_402_300_800_000
  ) {
    return null;
  }
  const second = Math.floor(milliseconds / 1000);
  return { kind: 'instant', second, milliseconds: Math.floor(milliseconds - second * 1000) };
}
