import ICAL from 'ical.js';
import { recurrenceOf, specOfSchedule } from '../recurrence-of.js';
import { formatInZone, isoInstant, portableRule, zoneTransitions } from '../recurrence/index.js';
import type { TimedSchedule } from '../schedule.js';
import { zoneComponent } from './zone-component.js';

/** A task as a calendar shows it. */
export interface CalendarTask {
  id: string;
  name: string;
  title: string | null;
  /** The schedule in words. */
  words: string;
  schedule: TimedSchedule;
  /** How long an entry is, milliseconds. */
  durationMs: number;
  /** Epoch milliseconds. */
  updatedAt: number;
  /** Occurrences to write out instead of those the schedule names, epoch milliseconds. */
  occurrences?: readonly number[];
}

/** The window that schedules without a rule of iCalendar are written out for, epoch milliseconds. */
export interface CalendarWindow {
  from: number;
  to: number;
}

/** Entries one task has at most: a calendar is for people. */
export const MAX_ENTRIES = 300;
const DAY = 86_400_000;
const TEN_YEARS = 3653 * DAY;

/** How long after now the next occurrences are written out when nothing else is asked. */
export const calendarWindow = (now: number): CalendarWindow => ({ from: now - 7 * DAY, to: now + 90 * DAY });

/**
 * An iCalendar document (RFC 5545) of tasks: a schedule that is an RRULE in any calendar is one entry that repeats, the
 * others are written out, at most {@link MAX_ENTRIES} entries each. Lines end with CRLF.
 */
export function taskCalendar(tasks: readonly CalendarTask[], window: CalendarWindow): string {
  const calendar = new ICAL.Component('vcalendar');
  calendar.addPropertyWithValue('version', '2.0');
  calendar.addPropertyWithValue('prodid', '-//pao//tasks//EN');
  calendar.addPropertyWithValue('x-wr-calname', 'pao');
  const zones = new Map<string, { from: number; to: number }>();
  const events = tasks.flatMap((task) => entriesOf(task, window, zones));
  for (const [tzid, { from, to }] of zones) calendar.addSubcomponent(zoneComponent(tzid, from, to));
  for (const event of events) calendar.addSubcomponent(event);
  return `${calendar.toString()}\r\n`;
}

function entriesOf(
  task: CalendarTask,
  window: CalendarWindow,
  zones: Map<string, { from: number; to: number }>,
): ICAL.Component[] {
  const { schedule } = task;
  const recurrence = recurrenceOf(schedule);
  const { tzid } = recurrence;
  const entry = (at: number, uid: string): ICAL.Component => {
    // A rule goes on; a client that has no zone data of its own needs the changes to come.
    const known = zones.get(tzid);
    const to = uid === task.id ? window.to + TEN_YEARS : window.to;
    if (tzid !== 'UTC')
      zones.set(tzid, {
        from: Math.min(known?.from ?? at, at) - DAY,
        to: Math.max(known?.to ?? to, to),
      });
    return eventOf(task, at, tzid, uid);
  };
  const rule = task.occurrences === undefined ? portableRule(specOfSchedule(schedule)) : null;
  const first = rule === null ? null : recurrence.next(Number.NEGATIVE_INFINITY);
  if (rule !== null && first !== null && !isAfterGap(tzid, first)) {
    const event = entry(first, task.id);
    event.addPropertyWithValue('rrule', ICAL.Recur.fromString(rule));
    return [event];
  }
  const occurrences = task.occurrences ?? recurrence.take(window.from, MAX_ENTRIES);
  return occurrences
    .filter((at) => at < window.to)
    .slice(0, MAX_ENTRIES)
    .map((at) => entry(at, `${task.id}-${isoInstant(at).replace(/[-:]/g, '')}`));
}

/** Whether an occurrence lies just after a gap, where it may have been moved to: then it is no start of its rule. */
function isAfterGap(tzid: string, at: number): boolean {
  return zoneTransitions(tzid, at - DAY, at + 1).some(
    (change) => at < (change.at + change.after - change.before) * 1000,
  );
}

function eventOf(task: CalendarTask, at: number, tzid: string, uid: string): ICAL.Component {
  const event = new ICAL.Component('vevent');
  event.addPropertyWithValue('uid', `${uid}@pao`);
  event.addPropertyWithValue('dtstamp', utcTime(task.updatedAt));
  if (tzid === 'UTC') event.addPropertyWithValue('dtstart', utcTime(at));
  else {
    const local = ICAL.Time.fromDateTimeString(formatInZone(tzid, at, 'iso').slice(0, 19));
    event.addPropertyWithValue('dtstart', local).setParameter('tzid', tzid);
  }
  event.addPropertyWithValue(
    'duration',
    ICAL.Duration.fromSeconds(Math.max(60, Math.round(task.durationMs / 1000))),
  );
  event.addPropertyWithValue('summary', task.title ?? task.name);
  event.addPropertyWithValue('description', `${task.words}\npao task explain ${task.name}`);
  event.addPropertyWithValue('transp', 'TRANSPARENT');
  event.addPropertyWithValue('categories', 'pao');
  return event;
}

const utcTime = (at: number): ICAL.Time => ICAL.Time.fromDateTimeString(isoInstant(at));
