/**
 * The calendar of the briefing that is checked: a stand-up that repeats, a birthday that lasts all day, a dentist in
 * UTC, and an event each just before and just after the local day of 24 November 2026 in Chisinau.
 */
export const BRIEFING_CALENDAR = [
  'BEGIN:VCALENDAR',
  'VERSION:2.0',
  'PRODID:-//pao//final validation//EN',
  'X-WR-TIMEZONE:Europe/Chisinau',
  'BEGIN:VTIMEZONE',
  'TZID:Europe/Chisinau',
  'BEGIN:STANDARD',
  'DTSTART:19971026T030000',
  'RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU',
  'TZOFFSETFROM:+0300',
  'TZOFFSETTO:+0200',
  'END:STANDARD',
  'BEGIN:DAYLIGHT',
  'DTSTART:19970330T020000',
  'RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU',
  'TZOFFSETFROM:+0200',
  'TZOFFSETTO:+0300',
  'END:DAYLIGHT',
  'END:VTIMEZONE',
  ...event('standup', 'Daily standup', [
    'DTSTART;TZID=Europe/Chisinau:20260901T093000',
    'DTEND;TZID=Europe/Chisinau:20260901T094500',
    'RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR',
  ]),
  ...event('birthday', "Ana's birthday", ['DTSTART;VALUE=DATE:20201124', 'RRULE:FREQ=YEARLY']),
  ...event('dentist', 'Dentist', ['DTSTART:20261124T120000Z', 'DTEND:20261124T124500Z']),
  ...event('yesterday', 'Yesterday late', ['DTSTART:20261123T213000Z', 'DTEND:20261123T215500Z']),
  ...event('call', 'Late call US', ['DTSTART:20261124T223000Z', 'DTEND:20261124T230000Z']),
  'END:VCALENDAR',
  '',
].join('\r\n');

function event(uid: string, summary: string, times: string[]): string[] {
  return [
    'BEGIN:VEVENT',
    `UID:${uid}@checks.pao`,
    'DTSTAMP:20260101T000000Z',
    ...times,
    `SUMMARY:${summary}`,
    'END:VEVENT',
  ];
}
