import ICAL from 'ical.js';
import { describe, expect, it } from 'vitest';
import { type CalendarTask, MAX_ENTRIES, taskCalendar } from '../../src/domain/icalendar/task-calendar.js';
import { recurrenceOf } from '../../src/domain/recurrence-of.js';
import { scheduleSchema, type TimedSchedule } from '../../src/domain/schedule.js';

const NOW = Date.parse('2026-11-24T06:00:00Z');
const DAY = 86_400_000;
const WINDOW = { from: NOW, to: NOW + 90 * DAY };

const task = (schedule: object, more: Partial<CalendarTask> = {}): CalendarTask => ({
  id: 'tsk_1',
  name: 'morning-briefing',
  title: 'Briefing, with; odd "characters"\nand a second line',
  words: 'every weekday at 08:30 (Europe/Chisinau)',
  schedule: scheduleSchema.parse({ timezone: 'Europe/Chisinau', ...schedule }) as TimedSchedule,
  durationMs: 300_000,
  updatedAt: NOW,
  ...more,
});

/** What another program makes of the text: the instants of all its entries, by the VTIMEZONEs in it. */
function read(text: string, count: number): { events: ICAL.Component[]; instants: number[] } {
  const calendar = new ICAL.Component(ICAL.parse(text));
  const zones = new Map(
    calendar.getAllSubcomponents('vtimezone').map((zone) => {
      const timezone = new ICAL.Timezone(zone);
      return [timezone.tzid, timezone];
    }),
  );
  const events = calendar.getAllSubcomponents('vevent');
  const instants = events.flatMap((component) => {
    const event = new ICAL.Event(component);
    const start = event.startDate;
    const named = component.getFirstProperty('dtstart')?.getParameter('tzid') as string | undefined;
    if (named !== undefined) start.zone = zones.get(named) as ICAL.Timezone;
    if (!event.isRecurring()) return [start.toUnixTime() * 1000];
    const iterator = event.iterator(start);
    return Array.from({ length: count }, () => (iterator.next()?.toUnixTime() ?? 0) * 1000);
  });
  return { events, instants: instants.sort((a, b) => a - b) };
}

describe('tasks as iCalendar', () => {
  it.each([
    ['FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0', '2026-01-01T00:00:00'],
    ['FREQ=WEEKLY;INTERVAL=2;BYDAY=SA;BYHOUR=3', '2026-01-01T00:30:00'],
    ['FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1', '2026-01-01T17:00:00'],
    ['FREQ=MONTHLY;BYMONTHDAY=31', '2026-01-15T17:00:00'],
    ['FREQ=DAILY;INTERVAL=3;COUNT=200', '2026-01-01T09:00:00'],
    ['FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29', '2024-01-01T09:00:00'],
    ['FREQ=DAILY;UNTIL=20271231T235959Z', '2026-03-01T03:10:00'],
  ])('%s is one entry that repeats at the same instants', (expr, dtstart) => {
    const one = task({ kind: 'rrule', expr, dtstart });
    const { events, instants } = read(taskCalendar([one], WINDOW), 60);
    expect(events).toHaveLength(1);
    const mine = recurrenceOf(one.schedule).take(Date.parse('2020-01-01T00:00:00Z'), 60);
    // In the gap of 28 March 2027 calendars go by RFC 5545 3.3.10 or 3.3.5; all other instants are the same.
    const gap = Date.parse('2027-03-28T01:00:00Z');
    const apart = (at: number) => Math.abs(at - gap) > 2 * 3_600_000;
    expect(instants.filter(apart)).toEqual(mine.filter(apart));
  });

  it.each([
    [{ kind: 'cron', expr: '30 8 * * 1-5' }],
    [{ kind: 'rrule', expr: 'FREQ=HOURLY;INTERVAL=7', dtstart: '2026-01-01T00:00:00' }],
    [{ kind: 'rrule', expr: 'FREQ=YEARLY;BYWEEKNO=1,20,53;BYDAY=MO', dtstart: '2026-01-01T09:00:00' }],
    [{ kind: 'cron', expr: '0 9 1 * *', business_days: { calendar: 'RO', roll: 'next' } }],
    [{ kind: 'once', expr: '2026-12-24T18:00:00' }],
    [{ kind: 'cron', expr: '0 9 * * *', timezone: 'UTC' }],
    [{ kind: 'cron', expr: '15 2 * * *', timezone: 'Australia/Lord_Howe' }],
  ])('%o is written out for the window', (schedule) => {
    const one = task(schedule);
    const { events, instants } = read(taskCalendar([one], WINDOW), 1);
    const mine = recurrenceOf(one.schedule)
      .take(WINDOW.from, MAX_ENTRIES)
      .filter((at) => at < WINDOW.to);
    expect(instants).toEqual(mine);
    const ids = events.map((event) => event.getFirstPropertyValue('uid'));
    expect(new Set(ids).size).toBe(mine.length);
  });

  it('writes a line as RFC 5545 wants it: CRLF, 75 octets, escaped', () => {
    const text = taskCalendar([task({ kind: 'cron', expr: '30 8 * * 1-5' })], WINDOW);
    const lines = text.split('\r\n');
    expect(lines.at(-1)).toBe('');
    for (const line of lines) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
    expect(lines.some((line) => line.includes('\n'))).toBe(false);
    const [event] = read(text, 1).events;
    expect(event?.getFirstPropertyValue('summary')).toBe(
      'Briefing, with; odd "characters"\nand a second line',
    );
    expect(taskCalendar([], WINDOW)).toContain('BEGIN:VCALENDAR');
  });
});
