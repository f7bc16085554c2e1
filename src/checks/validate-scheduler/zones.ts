import { type Check, CheckFailure, CheckWarning } from '../check.js';
import { type KnownAnswer, knownAnswers } from './known-answers.js';
import type { SchedulerProof } from './proof.js';

const group = 'Time zones';

const rule = (
  what: string,
  time: string,
  tzid: string,
  after: string,
  answer: readonly string[],
  dst?: object,
): KnownAnswer => {
  const [hour, minute] = time.split(':').map(Number);
  return {
    what,
    ask: {
      kind: 'rrule',
      expr: `FREQ=DAILY;BYHOUR=${hour};BYMINUTE=${minute};BYSECOND=0`,
      dtstart: '2010-01-01T00:00:00',
      tzid,
      after,
      ...(dst === undefined ? {} : { dst }),
    },
    answer,
  };
};

const cron = (
  what: string,
  expr: string,
  tzid: string,
  after: string,
  answer: readonly string[],
): KnownAnswer => ({
  what,
  ask: { kind: 'cron', expr, tzid, after },
  answer,
});

/** What a clock does that is put forward, put back, or moved over a day. */
export const zoneChecks: Check<SchedulerProof>[] = [
  {
    id: 'zones.database',
    title: 'The time zones of the world are there',
    group,
    async run({ zones }) {
      const names = zones.names();
      const version = zones.version();
      const evidence = { zones: names.length, version };
      const missing = ['Europe/Chisinau', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia'].filter(
        (name) => !names.includes(name),
      );
      if (missing.length > 0 || names.length < 400) {
        throw new CheckFailure(
          `This Node has ${names.length} time zones, without ${missing.join(', ') || 'most of them'}.`,
          'Install Node with full ICU: node -p "process.versions.icu, process.config.variables.icu_small"',
          evidence,
        );
      }
      if (/^[0-9]{4}[a-z]$/.test(version)) return evidence;
      throw new CheckWarning(
        `The version of the time zone database is not known ("${version}"): changes of it are not noticed.`,
        'node -p process.versions.tz',
        evidence,
      );
    },
  },
  knownAnswers({ id: 'zones.gap', title: 'A local time that does not exist is moved, not lost', group }, [
    rule('02:30 in New York, moved by the hour', '2:30', 'America/New_York', '2027-03-13T12:00:00Z', [
      '2027-03-14T07:30Z',
      '2027-03-15T06:30Z',
    ]),
    rule(
      'at the end of the gap where the task says so',
      '2:30',
      'America/New_York',
      '2027-03-13T12:00:00Z',
      ['2027-03-14T07:00Z', '2027-03-15T06:30Z'],
      { gap: 'next' },
    ),
    rule(
      'left out where the task says so',
      '2:30',
      'America/New_York',
      '2027-03-13T12:00:00Z',
      ['2027-03-15T06:30Z'],
      { gap: 'skip' },
    ),
    cron(
      'cron at 02:30 in Berlin, at the end of the gap',
      '30 2 * * *',
      'Europe/Berlin',
      '2027-03-27T12:00:00Z',
      ['2027-03-28T01:00Z', '2027-03-29T00:30Z'],
    ),
  ]),
  knownAnswers({ id: 'zones.fold', title: 'A local time that comes twice fires once', group }, [
    rule('01:30 in New York, the first time', '1:30', 'America/New_York', '2026-10-31T12:00:00Z', [
      '2026-11-01T05:30Z',
      '2026-11-02T06:30Z',
    ]),
    rule(
      'the second time where the task says so',
      '1:30',
      'America/New_York',
      '2026-10-31T12:00:00Z',
      ['2026-11-01T06:30Z', '2026-11-02T06:30Z'],
      { fold: 'second' },
    ),
    rule(
      'both times where the task says so',
      '1:30',
      'America/New_York',
      '2026-10-31T12:00:00Z',
      ['2026-11-01T05:30Z', '2026-11-01T06:30Z', '2026-11-02T06:30Z'],
      { fold: 'both' },
    ),
    cron('cron every hour fires through it', '0 * * * *', 'America/New_York', '2026-11-01T04:30:00Z', [
      '2026-11-01T05:00Z',
      '2026-11-01T06:00Z',
      '2026-11-01T07:00Z',
    ]),
  ]),
  knownAnswers({ id: 'zones.half-hour', title: 'A zone whose clock moves by half an hour is right', group }, [
    rule(
      '02:15 on Lord Howe Island, which does not exist',
      '2:15',
      'Australia/Lord_Howe',
      '2027-10-02T00:00:00Z',
      ['2027-10-02T15:45Z', '2027-10-03T15:15Z'],
    ),
    rule('01:45 there, which comes twice', '1:45', 'Australia/Lord_Howe', '2027-04-03T00:00:00Z', [
      '2027-04-03T14:45Z',
      '2027-04-04T15:15Z',
    ]),
  ]),
  knownAnswers({ id: 'zones.date-line', title: 'A day that a place leaves out doubles nothing', group }, [
    rule(
      '09:00 in Apia, where 30 December 2011 was left out',
      '9:00',
      'Pacific/Apia',
      '2011-12-29T00:00:00Z',
      ['2011-12-29T19:00Z', '2011-12-30T19:00Z', '2011-12-31T19:00Z'],
    ),
  ]),
];
