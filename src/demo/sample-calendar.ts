import { DateTime } from 'luxon';

const DAYS_OF_ZONE_DATA = 800;
const DAY_MS = 86_400_000;

/**
 * Writes a calendar file around a day, so that the briefing of that day and of the weeks after it has something to tell:
 * a stand-up on weekdays, a walk every day, lunch and a dentist on the day itself, a birthday the day after.
 * @param options.now epoch milliseconds; the day is the one in `options.timezone`.
 */
export function writeSampleCalendar(options: { now: number; timezone: string }): string {
  const { timezone } = options;
  const today = DateTime.fromMillis(options.now, { zone: timezone });
  const day = (offset: number): string => today.plus({ days: offset }).toFormat('yyyyLLdd');
  const stamp = `DTSTAMP:${DateTime.fromMillis(options.now, { zone: 'UTC' }).toFormat("yyyyLLdd'T'HHmmss'Z'")}`;
  // A weekday rule must begin on a weekday, or its first occurrence is one that the rule would not make.
  const monday = today.startOf('week').toFormat('yyyyLLdd');
  const timed = (
    uid: string,
    summary: string,
    date: string,
    from: string,
    to: string,
    ...more: string[]
  ): string[] => [
    'BEGIN:VEVENT',
    `UID:${uid}@pao.demo`,
    stamp,
    `DTSTART;TZID=${timezone}:${date}T${from}00`,
    `DTEND;TZID=${timezone}:${date}T${to}00`,
    `SUMMARY:${summary}`,
    ...more,
    'END:VEVENT',
  ];
  return `${[
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//pao//demo calendar//EN',
    `X-WR-TIMEZONE:${timezone}`,
    ...writeVtimezone(timezone, options.now),
    ...timed('standup', 'Daily standup', monday, '0930', '0945', 'RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR'),
    ...timed('walk', 'Walk in the park', day(0), '1800', '1830', 'RRULE:FREQ=DAILY'),
    ...timed('dentist', 'Dentist', day(0), '1400', '1445', 'LOCATION:Main Street 12'),
    ...timed('review', 'Quarterly review', day(1), '1100', '1200', 'LOCATION:Room 2'),
    ...timed('lunch', 'Lunch with Mihai', day(2), '1230', '1330'),
    'BEGIN:VEVENT',
    'UID:birthday@pao.demo',
    stamp,
    `DTSTART;VALUE=DATE:${day(0)}`,
    "SUMMARY:Ana's birthday",
    'RRULE:FREQ=YEARLY',
    'END:VEVENT',
    'END:VCALENDAR',
  ].join('\r\n')}\r\n`;
}

/** A VTIMEZONE from the zone data of this Node: each change of the offset is written out as an observance of its own. */
function writeVtimezone(timezone: string, now: number): string[] {
  const offsetAt = (ms: number): number => DateTime.fromMillis(ms, { zone: timezone }).offset;
  // Whole days, so that a change is found on its minute.
  const start = Math.floor(now / DAY_MS) * DAY_MS - 400 * DAY_MS;
  const observance = (kind: 'STANDARD' | 'DAYLIGHT', at: number, from: number, to: number): string[] => [
    `BEGIN:${kind}`,
    // An observance begins at the wall time that the offset before it shows.
    `DTSTART:${DateTime.fromMillis(at + from * 60_000, { zone: 'UTC' }).toFormat("yyyyLLdd'T'HHmmss")}`,
    `TZOFFSETFROM:${writeOffset(from)}`,
    `TZOFFSETTO:${writeOffset(to)}`,
    `END:${kind}`,
  ];
  const first = offsetAt(start);
  const lines = ['BEGIN:VTIMEZONE', `TZID:${timezone}`, ...observance('STANDARD', start, first, first)];
  for (let ms = start; ms < start + DAYS_OF_ZONE_DATA * DAY_MS; ms += DAY_MS) {
    const [from, to] = [offsetAt(ms), offsetAt(ms + DAY_MS)];
    if (from !== to)
      lines.push(...observance(to > from ? 'DAYLIGHT' : 'STANDARD', findChange(ms, offsetAt), from, to));
  }
  lines.push('END:VTIMEZONE');
  return lines;
}

/** The minute within the day after `from` at which the offset changes. */
function findChange(from: number, offsetAt: (ms: number) => number): number {
  let [low, high] = [from, from + DAY_MS];
  while (high - low > 60_000) {
    const middle = low + Math.floor((high - low) / 120_000) * 60_000;
    if (offsetAt(middle) === offsetAt(from)) low = middle;
    else high = middle;
  }
  return high;
}

function writeOffset(minutes: number): string {
  const size = Math.abs(minutes);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
}
