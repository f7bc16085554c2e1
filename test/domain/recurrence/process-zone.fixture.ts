/** Prints occurrences of a few schedules; the test runs it under several process zones and compares. */
import { nextOccurrences, validate } from '../../../src/domain/recurrence/index.js';

const after = '2024-10-30T00:00:00';
const found = ['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'UTC'].flatMap((tzid) => [
  nextOccurrences({ kind: 'cron', expr: '30 1 * * *', tzid, after, count: 8 }),
  nextOccurrences({ kind: 'cron', expr: '*/30 1 * * 0', tzid, after, count: 8 }),
  nextOccurrences({
    kind: 'rrule',
    expr: 'FREQ=DAILY;BYHOUR=1,2;BYMINUTE=30',
    tzid,
    dtstart: '2024-03-01T09:00:00',
    after,
    count: 8,
  }),
  nextOccurrences({
    kind: 'rrule',
    expr: 'FREQ=HOURLY;INTERVAL=5',
    tzid,
    dtstart: '20240301T090000',
    after,
    count: 8,
  }),
  nextOccurrences({ kind: 'once', expr: '2024-11-03T01:30:00', tzid, after }),
  validate(
    { kind: 'cron', expr: '30 2 * * *', tzid, businessDays: { calendar: 'US', roll: 'next' } },
    { now: 1_700_000_000_000 },
  ),
]);
process.stdout.write(JSON.stringify(found));
