import { tryParseDuration } from '../duration.js';
import { civilDate, DAY, dayNumber, daysInMonth } from '../recurrence/civil.js';
import { localParts, type WallTime, wallToInstant } from '../recurrence/wall-time.js';
import { formatInZone, isoInstant } from '../recurrence/zone-format.js';
import { ExpressionEvaluationError } from './expression/expression-error.js';

const INSTANT =
  /^(\d{4})-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?([Zz]|[+-]\d{2}:\d{2})$/;
const LOCAL_DATE = /^(\d{4})-(\d{2})-(\d{2})$/;
const ISO_DURATION =
  /^P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?=.)(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,10}(?:\.\d{1,3})?)S)?)?$/;
const MIDNIGHT = { hour: 0, minute: 0, second: 0 };

/**
 * Reads an RFC 3339 instant, or a date that stands for the beginning of that local day.
 * @returns epoch milliseconds.
 * @throws ExpressionEvaluationError when it is neither; a time without offset could mean two instants.
 */
export function readInstant(text: string, zone: string): number {
  const date = LOCAL_DATE.exec(text);
  if (date !== null) {
    const [year, month, day] = date.slice(1).map(Number) as [number, number, number];
    if (isDate(year, month, day)) return wallToInstant(zone, { year, month, day, ...MIDNIGHT });
  }
  const match = INSTANT.exec(text);
  if (match !== null) {
    const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0)) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const milliseconds = Math.floor(Number(`0.${match[7] ?? 0}`) * 1000);
    const offset = match[8]?.toUpperCase() === 'Z' ? 0 : offsetMinutes(match[8] as string);
    if (isDate(year, month, day) && hour < 24 && minute < 60 && second < 60 && offset !== null) {
      const seconds = dayNumber(year, month, day) * DAY + hour * 3600 + (minute - offset) * 60 + second;
      return seconds * 1000 + milliseconds;
    }
  }
  throw new ExpressionEvaluationError(
    `${JSON.stringify(text.slice(0, 40))} is not an instant`,
    'value',
    'Write it with its offset: 2026-11-24T08:30:00+02:00 or 2026-11-24T06:30:00Z',
  );
}

function isDate(year: number, month: number, day: number): boolean {
  return year >= 1 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month);
}

function offsetMinutes(text: string): number | null {
  const [hours, minutes] = text.slice(1).split(':').map(Number) as [number, number];
  if (hours > 23 || minutes > 59) return null;
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

/** RFC 3339 in whole seconds with the offset of the zone, for example `2026-11-24T00:00:00+02:00`. */
export function formatLocal(at: number, zone: string): string {
  return formatInZone(zone, inRange(at), 'iso');
}

/** RFC 3339 in UTC and whole seconds, for example `2026-11-24T06:30:00Z`. */
export function formatUtc(at: number): string {
  return isoInstant(inRange(at));
}

/** A local day: from its first instant up to the first of the next one. Times are epoch milliseconds. */
export interface LocalDay {
  readonly startAt: number;
  readonly endAt: number;
  /** `yyyy-mm-dd`. */
  readonly date: string;
}

const DAY_MS = 86_400_000;
/** The last plain day that was asked for, of some zones: nearly every run asks for the day that the one before asked for. */
const plainDays = new Map<string, LocalDay>();
const MAX_PLAIN_DAYS = 100;

/** The local day an instant is in; 23 or 25 hours long where the clocks change. */
export function localDayOf(at: number, zone: string): LocalDay {
  const kept = plainDays.get(zone);
  if (kept !== undefined && at >= kept.startAt && at < kept.endAt) return kept;
  const { year, month, day } = localParts(zone, inRange(at));
  const found: LocalDay = {
    startAt: wallToInstant(zone, { year, month, day, ...MIDNIGHT }),
    endAt: wallToInstant(zone, { ...civilDate(dayNumber(year, month, day) + 1), ...MIDNIGHT }),
    date: formatInZone(zone, at, 'date'),
  };
  // In 24 hours no clock was changed: all instants between are of this day, which is not so where a fold is at midnight.
  if (found.endAt - found.startAt === DAY_MS) {
    if (plainDays.size >= MAX_PLAIN_DAYS && !plainDays.has(zone)) plainDays.clear();
    plainDays.set(zone, found);
  }
  return found;
}

/**
 * Adds a duration: `24h`, `90m`, or ISO 8601 such as `PT24H`, `P1D`, `P1M`, with `-` before it to go back.
 * Years to days keep the local time of day (a day may have 23 or 25 hours), hours and less are exact; a month later
 * than the 31st is the last day of a shorter month.
 * @returns epoch milliseconds.
 * @throws ExpressionEvaluationError when it is not a duration, or leads out of the years 1 to 9999.
 */
export function addDuration(at: number, duration: string, zone: string): number {
  const sign = duration.startsWith('-') ? -1 : 1;
  const text = duration.replace(/^[+-]/, '');
  const exact = tryParseDuration(text);
  if (exact !== null) return inRange(at + sign * exact);
  const match = ISO_DURATION.exec(text);
  if (match === null) {
    throw new ExpressionEvaluationError(
      `${JSON.stringify(duration.slice(0, 40))} is not a duration`,
      'value',
      "Write it like '24h', '30m', 'PT24H', 'P1D' or '-P1W'",
    );
  }
  const [years, months, weeks, days, hours, minutes, seconds] = match
    .slice(1)
    .map((part) => sign * Number(part ?? 0)) as [number, number, number, number, number, number, number];
  const from = addCivil(at, years * 12 + months, weeks * 7 + days, zone);
  return inRange(from + Math.round((hours * 3600 + minutes * 60 + seconds) * 1000));
}

function addCivil(at: number, months: number, days: number, zone: string): number {
  if (months === 0 && days === 0) return at;
  const wall: WallTime = localParts(zone, inRange(at));
  const monthIndex = wall.year * 12 + wall.month - 1 + months;
  const year = Math.floor(monthIndex / 12);
  if (year < 1 || year > 9999) throw outOfRange();
  const month = monthIndex - year * 12 + 1;
  const number = dayNumber(year, month, Math.min(wall.day, daysInMonth(year, month))) + days;
  inRange(number * DAY * 1000);
  const moved = { ...civilDate(number), hour: wall.hour, minute: wall.minute, second: wall.second };
  return wallToInstant(zone, moved) + (at - Math.floor(at / 1000) * 1000);
}

// A day short at both ends, so that no zone leads over them.
const FIRST_AT = dayNumber(1, 1, 3) * DAY * 1000;
const LAST_AT = dayNumber(9999, 12, 29) * DAY * 1000;

function inRange(at: number): number {
  if (!(at >= FIRST_AT && at <= LAST_AT)) throw outOfRange();
  return at;
}

function outOfRange(): ExpressionEvaluationError {
  return new ExpressionEvaluationError('the instant is outside the years 1 to 9999', 'value');
}
