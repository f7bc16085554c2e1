import { z } from 'zod';
import { instantsOfWall, localParts, wallSecond } from './recurrence/wall-time.js';
import { canonicalTimeZone, isTimeZone, timeZone } from './recurrence/time-zone.js';

const WEEKDAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'] as const;
const DAY_S = 86_400;
/** A quiet time that goes on for longer than this is taken to end then, milliseconds. */
const LONGEST_MS = 400 * DAY_S * 1000;

const zoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, {
    message: 'is not a time zone; write an IANA name such as Europe/Berlin',
    abort: true,
  })
  .transform(canonicalTimeZone);

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 22:00');

export const quietWindowSchema = z.strictObject({
  /** Local time at which it begins, inclusive. */
  from: timeOfDay,
  /** Local time at which it ends, exclusive; on the next day when it is not after `from`. */
  to: timeOfDay,
  timezone: zoneSchema,
  /** The days on which it begins; every day when left out. */
  days: z.array(z.enum(WEEKDAYS)).min(1).max(7).optional(),
  /** What was put off is sent as one message at the end. */
  digest: z.boolean().default(false),
});

/** One quiet time, several, or `none`: then those of the agent do not count either. */
export const quietHoursSchema = z.preprocess(
  (value) => (value === 'none' ? [] : Array.isArray(value) ? (value as unknown[]) : [value]),
  z.array(quietWindowSchema).max(10),
);

export const vacationSchema = z
  .strictObject({
    /** First and last day, both in it. */
    from: z.iso.date(),
    to: z.iso.date(),
    timezone: zoneSchema,
  })
  .refine(({ from, to }) => from <= to, { path: ['to'], message: 'must not be before from' });

export const vacationsSchema = z.preprocess(
  (value) => (Array.isArray(value) ? (value as unknown[]) : [value]),
  z.array(vacationSchema).max(50),
);

/** When messages wait: of an agent, or of one task. */
export const quietTimesSchema = z.strictObject({
  quiet_hours: quietHoursSchema.optional(),
  vacation: vacationsSchema.optional(),
});

export type QuietWindow = z.infer<typeof quietWindowSchema>;
export type Vacation = z.infer<typeof vacationSchema>;
export type QuietTimes = z.infer<typeof quietTimesSchema>;

/** Why it is quiet, and until when (epoch milliseconds). */
export interface Quiet {
  reason: 'quiet_hours' | 'vacation';
  until: number;
  /** What waits for its end may be sent as one message. */
  digest: boolean;
}

/** The quiet times of a task: its own quiet hours in place of its agent's; the vacations of both. */
export function quietTimesOf(task: QuietTimes | null, agent: QuietTimes | null): QuietTimes {
  const hours = task?.quiet_hours ?? agent?.quiet_hours;
  const vacation = [...(task?.vacation ?? []), ...(agent?.vacation ?? [])];
  return {
    ...(hours === undefined ? {} : { quiet_hours: hours }),
    ...(vacation.length === 0 ? {} : { vacation }),
  };
}

/**
 * Whether it is quiet at an instant, by what the clock on the wall shows there: in the hour that comes twice both times
 * count, and a time that is left out ends what it would have ended.
 * @param at epoch milliseconds.
 * @returns why, and the first instant after it at which it is not quiet; null when it is not quiet.
 */
export function quietAt(times: QuietTimes, at: number): Quiet | null {
  const first = oneAt(times, at);
  if (first === null) return null;
  let { until, digest } = first;
  // What it began with is why; one that follows at once only makes it longer.
  while (until - at < LONGEST_MS) {
    const next = oneAt(times, until);
    if (next === null) break;
    until = next.until;
    digest ||= next.digest;
  }
  return { reason: first.reason, until, digest };
}

/** Whether an instant lies in a vacation. */
export const onVacation = (times: QuietTimes, at: number): boolean =>
  (times.vacation ?? []).some((vacation) => endOfVacation(vacation, at) !== null);

function oneAt({ quiet_hours: hours = [], vacation = [] }: QuietTimes, at: number): Quiet | null {
  for (const one of vacation) {
    const until = endOfVacation(one, at);
    // A vacation's messages are always joined: nobody wants forty of them.
    if (until !== null) return { reason: 'vacation', until, digest: true };
  }
  const open = hours.flatMap((one) => {
    const until = endOfWindow(one, at);
    return until === null ? [] : [{ until, digest: one.digest }];
  });
  const [first] = open;
  if (first === undefined) return null;
  return { reason: 'quiet_hours', until: first.until, digest: open.some(({ digest }) => digest) };
}

function endOfVacation({ from, to, timezone }: Vacation, at: number): number | null {
  const { year, month, day } = localParts(timezone, at);
  const date = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
  if (date < from || date > to) return null;
  const [endYear, endMonth, endDay] = to.split('-').map(Number) as [number, number, number];
  const midnight = wallSecond({ year: endYear, month: endMonth, day: endDay, hour: 0, minute: 0, second: 0 });
  return firstAfter(timezone, [midnight + DAY_S], at);
}

function endOfWindow(window: QuietWindow, at: number): number | null {
  if (!isInWindow(window, at)) return null;
  const { year, month, day } = localParts(window.timezone, at);
  const midnight = wallSecond({ year, month, day, hour: 0, minute: 0, second: 0 });
  const end = secondsOf(window.to);
  return firstAfter(window.timezone, [midnight + end, midnight + DAY_S + end], at);
}

/** By the clock on the wall; a window belongs to the day it begins on. */
function isInWindow({ from, to, timezone, days }: QuietWindow, at: number): boolean {
  const { hour, minute, weekday } = localParts(timezone, at);
  const now = `${two(hour)}:${two(minute)}`;
  const begins = (day: number) => days === undefined || days.includes(WEEKDAYS[(day + 6) % 7] as 'MO');
  if (from < to) return now >= from && now < to && begins(weekday);
  return (now >= from && begins(weekday)) || (now < to && begins(weekday - 1));
}

/** The first instant after another at which the wall clock shows one of some times, or has just jumped over one. */
function firstAfter(timezone: string, walls: readonly number[], at: number): number {
  const zone = timeZone(timezone);
  const instants = walls.flatMap((wall) => instantsOfWall(zone, wall, 'next', 'both').map((s) => s * 1000));
  return Math.min(...instants.filter((instant) => instant > at));
}

const two = (value: number): string => String(value).padStart(2, '0');
const secondsOf = (time: string): number => Number(time.slice(0, 2)) * 3600 + Number(time.slice(3)) * 60;
