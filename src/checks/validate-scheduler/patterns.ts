import type { Check } from '../check.js';
import { type KnownAnswer, knownAnswers } from './known-answers.js';
import type { SchedulerProof } from './proof.js';

const group = 'Patterns';
/** A Tuesday. */
const AFTER = '2026-11-24T12:00:00Z';

const cron = (what: string, expr: string, answer: readonly string[], more: object = {}): KnownAnswer => ({
  what,
  ask: { kind: 'cron', expr, tzid: 'UTC', after: AFTER, ...more },
  answer,
});

const rrule = (
  what: string,
  expr: string,
  dtstart: string | null,
  answer: readonly string[],
  more: object = {},
): KnownAnswer => ({
  what,
  ask: { kind: 'rrule', expr, tzid: 'UTC', after: AFTER, ...(dtstart === null ? {} : { dtstart }), ...more },
  answer,
});

/** The patterns people write, against answers read off a calendar. */
export const patternChecks: Check<SchedulerProof>[] = [
  knownAnswers({ id: 'patterns.cron', title: 'Cron expressions fire when the calendar says so', group }, [
    cron(
      'daily, in its zone',
      '30 8 * * *',
      ['2026-11-25T06:30Z', '2026-11-26T06:30Z', '2026-11-27T06:30Z'],
      { tzid: 'Europe/Chisinau' },
    ),
    cron('weekly', '0 9 * * 1', ['2026-11-30T09:00Z', '2026-12-07T09:00Z', '2026-12-14T09:00Z']),
    cron('on business days', '0 9 * * MON-FRI', ['2026-11-30T09:00Z', '2026-12-01T09:00Z'], {
      after: '2026-11-27T10:00:00Z',
    }),
    cron('monthly', '0 0 1 * *', ['2026-12-01T00:00Z', '2027-01-01T00:00Z', '2027-02-01T00:00Z']),
    cron('on the last day of the month', '0 18 L * *', [
      '2026-11-30T18:00Z',
      '2026-12-31T18:00Z',
      '2027-01-31T18:00Z',
      '2027-02-28T18:00Z',
    ]),
    cron('on the third Friday', '0 10 * * 5#3', [
      '2026-12-18T10:00Z',
      '2027-01-15T10:00Z',
      '2027-02-19T10:00Z',
    ]),
    cron('yearly', '@yearly', ['2027-01-01T00:00Z', '2028-01-01T00:00Z']),
    cron('the 13th or a Friday', '0 8 13 * 5', [
      '2026-11-27T08:00Z',
      '2026-12-04T08:00Z',
      '2026-12-11T08:00Z',
      '2026-12-13T08:00Z',
    ]),
    cron('Friday the 13th', '0 8 13 * 5', ['2027-08-13T08:00Z', '2028-10-13T08:00Z'], { dayMatch: 'and' }),
    cron('steps and ranges', '*/20 8-9 * * *', [
      '2026-11-25T08:00Z',
      '2026-11-25T08:20Z',
      '2026-11-25T08:40Z',
      '2026-11-25T09:00Z',
    ]),
  ]),
  knownAnswers(
    { id: 'patterns.rrule', title: 'Recurrence rules (RFC 5545) fire when the calendar says so', group },
    [
      rrule('every third day', 'FREQ=DAILY;INTERVAL=3', '2026-11-01T09:00:00Z', [
        '2026-11-25T09:00Z',
        '2026-11-28T09:00Z',
        '2026-12-01T09:00Z',
      ]),
      rrule(
        'every other week on Tuesday and Thursday',
        'FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH',
        '2026-11-03T10:00:00Z',
        ['2026-12-01T10:00Z', '2026-12-03T10:00Z', '2026-12-15T10:00Z'],
      ),
      rrule(
        'on the last weekday of the month',
        'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17;BYMINUTE=0;BYSECOND=0',
        '2026-01-01T00:00:00Z',
        ['2026-11-30T17:00Z', '2026-12-31T17:00Z', '2027-01-29T17:00Z', '2027-02-26T17:00Z'],
      ),
      rrule(
        'on the fourth Thursday of November',
        'FREQ=YEARLY;BYMONTH=11;BYDAY=4TH',
        '2020-11-01T08:00:00Z',
        ['2026-11-26T08:00Z', '2027-11-25T08:00Z', '2028-11-23T08:00Z'],
      ),
      rrule(
        'on election day (an example of the RFC)',
        'FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8',
        '1996-11-05T09:00:00',
        ['2000-11-07T14:00Z', '2004-11-02T14:00Z', '2008-11-04T14:00Z'],
        { tzid: 'America/New_York', after: '1996-11-06T00:00:00Z' },
      ),
      rrule('as often as COUNT says', 'FREQ=DAILY;COUNT=3', '2026-11-23T09:00:00Z', ['2026-11-25T09:00Z'], {
        count: 3,
      }),
      rrule(
        'until UNTIL, which still counts',
        'FREQ=DAILY;UNTIL=20261126T090000Z',
        '2026-11-23T09:00:00Z',
        ['2026-11-25T09:00Z', '2026-11-26T09:00Z'],
        { count: 3 },
      ),
      rrule(
        'not on what EXDATE takes out, and also on RDATE',
        'DTSTART:20261123T090000Z\nRRULE:FREQ=DAILY\nEXDATE:20261125T090000Z\nRDATE:20261125T120000Z',
        null,
        ['2026-11-25T12:00Z', '2026-11-26T09:00Z', '2026-11-27T09:00Z'],
      ),
    ],
  ),
  knownAnswers({ id: 'patterns.once', title: 'A time that is written once is that very instant', group }, [
    {
      what: 'with an offset',
      ask: { kind: 'once', expr: '2026-12-24T18:00:00+01:00', tzid: 'UTC', after: AFTER },
      answer: ['2026-12-24T17:00Z'],
    },
    {
      what: 'as local time of its zone',
      ask: { kind: 'once', expr: '2026-12-24T18:00:00', tzid: 'Asia/Tokyo', after: AFTER },
      answer: ['2026-12-24T09:00Z'],
    },
    {
      what: 'never after it',
      ask: { kind: 'once', expr: '2026-11-24T12:00:00Z', tzid: 'UTC', after: AFTER },
      answer: [],
    },
  ]),
  knownAnswers(
    { id: 'patterns.business-days', title: 'Holidays and weekends move or drop what falls on them', group },
    [
      cron('to the next working day', '0 9 1 * *', ['2027-01-04T07:00Z', '2027-02-01T07:00Z'], {
        ...romania('next'),
        after: '2026-12-15T00:00:00Z',
      }),
      cron('to the one before', '0 9 1 * *', ['2026-12-31T07:00Z', '2027-02-01T07:00Z'], {
        ...romania('previous'),
        after: '2026-12-15T00:00:00Z',
      }),
      cron('nowhere', '0 9 1 * *', ['2027-02-01T07:00Z', '2027-03-01T07:00Z'], {
        ...romania('skip'),
        after: '2026-12-15T00:00:00Z',
      }),
      cron('over Christmas in the United States', '0 9 25 12 *', ['2026-12-28T14:00Z'], {
        tzid: 'America/New_York',
        businessDays: { calendar: 'US', roll: 'next' },
      }),
    ],
  ),
  knownAnswers(
    { id: 'patterns.leap-years', title: '29 February comes in leap years, and the century is none', group },
    [
      cron('cron on 29 February', '0 0 29 2 *', ['2028-02-29T00:00Z', '2032-02-29T00:00Z']),
      cron('over the year 2100', '0 0 29 2 *', ['2104-02-29T00:00Z'], { after: '2096-03-01T00:00:00Z' }),
      rrule('a rule on 29 February', 'FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29', '2024-02-29T07:00:00Z', [
        '2028-02-29T07:00Z',
        '2032-02-29T07:00Z',
      ]),
      rrule(
        'the last day of the month',
        'FREQ=MONTHLY;BYMONTHDAY=-1',
        '2024-01-31T07:00:00Z',
        ['2028-02-29T07:00Z', '2028-03-31T07:00Z'],
        { after: '2028-02-01T00:00:00Z' },
      ),
    ],
  ),
];

function romania(roll: 'next' | 'previous' | 'skip'): object {
  return { tzid: 'Europe/Bucharest', businessDays: { calendar: 'RO', roll } };
}
