import { describe as suite, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import {
  compileRecurrence,
  defaultStart,
  describe,
  everyInterval,
  nextOccurrences,
  type OccurrencesQuery,
  type RecurrenceSpec,
  ruleFromText,
  validate,
} from '../../../src/domain/recurrence/index.js';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const DAILY: OccurrencesQuery = {
  kind: 'rrule',
  expr: 'FREQ=DAILY',
  tzid: 'America/New_York',
  dtstart: '2024-03-01T09:00:00',
  after: '2024-03-01T00:00:00Z',
  count: 1,
};
const cron = (expr: string, tzid = 'Europe/Chisinau'): RecurrenceSpec => ({ kind: 'cron', expr, tzid });
const rrule = (expr: string, dtstart = '2026-01-01T08:30:00', tzid = 'Europe/Chisinau'): RecurrenceSpec => ({
  kind: 'rrule',
  expr,
  tzid,
  dtstart,
});
const once = (expr: string, tzid = 'Europe/Chisinau'): RecurrenceSpec => ({ kind: 'once', expr, tzid });
const codes = (spec: RecurrenceSpec, now = NOW): string[] =>
  compileRecurrence(spec)
    .warnings(now)
    .map(({ code }) => code);

suite('nextOccurrences', () => {
  it.each([
    '2024-03-01T09:00:00',
    '2024-03-01T09:00',
    '2024-03-01 09:00:00',
    '2024-03-01T09:00:00-05:00',
    '2024-03-01T14:00:00Z',
    '2024-03-01T14:00:00.000Z',
    '2024-03-01T15:00:00+0100',
    '20240301T090000',
    '20240301T140000Z',
    Date.UTC(2024, 2, 1, 14),
    new Date(Date.UTC(2024, 2, 1, 14)),
  ])('reads the start %s', (dtstart) => {
    expect(nextOccurrences({ ...DAILY, dtstart })).toEqual(['2024-03-01T14:00:00Z']);
  });

  it.each([
    ['2024-03-01T14:00:00Z', '2024-03-02T14:00:00Z'],
    ['2024-03-01T13:59:59.999Z', '2024-03-01T14:00:00Z'],
    ['2024-03-01T14:00:00.001Z', '2024-03-02T14:00:00Z'],
    ['2024-03-01T08:59:59', '2024-03-01T14:00:00Z'],
    ['2024-03-01T09:00:00', '2024-03-02T14:00:00Z'],
    ['2024-03-02', '2024-03-02T14:00:00Z'],
    ['20240301T090000', '2024-03-02T14:00:00Z'],
    [Date.UTC(2024, 2, 1, 14) - 1, '2024-03-01T14:00:00Z'],
    [new Date(Date.UTC(2024, 2, 1, 14)), '2024-03-02T14:00:00Z'],
  ])('takes after %s to be exclusive', (after, expected) => {
    expect(nextOccurrences({ ...DAILY, after })).toEqual([expected]);
  });

  it('counts from local midnight of the day of `after` when there is no start', () => {
    const { dtstart: _, ...bare } = DAILY;
    expect(
      nextOccurrences({ ...bare, expr: 'FREQ=HOURLY;INTERVAL=6', after: '2024-03-01T15:00:00Z', count: 2 }),
    ).toEqual(['2024-03-01T17:00:00Z', '2024-03-01T23:00:00Z']);
    expect(defaultStart('America/New_York', Date.parse('2024-03-02T04:00:00Z'))).toBe('2024-03-01T05:00:00Z');
  });

  it('ends with the rule', () => {
    expect(nextOccurrences({ ...DAILY, expr: 'RRULE:FREQ=DAILY;COUNT=2', count: 10 })).toHaveLength(2);
    expect(nextOccurrences({ ...DAILY, expr: 'FREQ=DAILY;COUNT=2', after: '2030-01-01T00:00:00Z' })).toEqual(
      [],
    );
  });

  it.each([
    [{ dtstart: 'yesterday' }, '/dtstart'],
    [{ dtstart: '2024-02-30T09:00:00' }, '/dtstart'],
    [{ dtstart: '2024-03-01T25:00:00' }, '/dtstart'],
    [{ dtstart: Number.NaN }, '/dtstart'],
    [{ after: '' }, '/after'],
    [{ after: '2024-13-01' }, '/after'],
    [{ after: Infinity }, '/after'],
    [{ after: 'x'.repeat(5000) }, '/after'],
    [{ after: undefined }, '/after'],
    [{ after: null }, '/after'],
    [{ after: [] }, '/after'],
    [{ after: true }, '/after'],
    [{ tzid: 'local' }, '/tzid'],
    [{ tzid: '' }, '/tzid'],
    [{ tzid: undefined }, '/tzid'],
    [{ tzid: 'Mars/Olympus' }, '/tzid'],
    [{ count: 0 }, '/count'],
    [{ count: 1.5 }, '/count'],
    [{ count: 1e9 }, '/count'],
    [{ kind: 'event' }, '/kind'],
    [{ kind: undefined }, '/kind'],
    [{ kind: '__proto__' }, '/kind'],
    [{ expr: undefined }, '/expr'],
    [{ expr: 5 }, '/expr'],
    [{ dst: { gap: 'jump' } }, '/dst/gap'],
    [{ dst: { fold: 'third' } }, '/dst/fold'],
    [{ dayMatch: 'xor' }, '/day_match'],
    [{ businessDays: { calendar: 'XX', roll: 'next' } }, '/business_days/calendar'],
    [{ businessDays: { calendar: 'DE-XX', roll: 'next' } }, '/business_days/calendar'],
    [{ businessDays: { calendar: 'US', roll: 'away' } }, '/business_days/roll'],
    [{ businessDays: { calendar: 'US', roll: 'next', dates: ['2026-02-30'] } }, '/business_days/dates/0'],
  ])('refuses %o at %s', (change, pointer) => {
    let thrown: unknown;
    try {
      nextOccurrences({ ...DAILY, ...change } as OccurrencesQuery);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(PaoError);
    const error = thrown as PaoError;
    expect([error.code, error.exitCode, error.status, error.problems[0]?.pointer]).toEqual([
      'PAO_SCHEDULE_INVALID',
      2,
      422,
      pointer,
    ]);
    expect(error.message.length).toBeLessThanOrEqual(1000);
  });
});

suite('once', () => {
  const at = (expr: string, more = {}): string[] =>
    nextOccurrences({ ...once(expr, 'America/New_York'), after: '2024-01-01T00:00:00Z', count: 5, ...more });

  it.each([
    ['2024-07-04T09:00:00Z', '2024-07-04T09:00:00Z'],
    ['2024-07-04T09:00:00-04:00', '2024-07-04T13:00:00Z'],
    ['2024-07-04T09:00', '2024-07-04T13:00:00Z'],
    ['20240704T090000', '2024-07-04T13:00:00Z'],
    ['2024-03-10T02:30:00', '2024-03-10T07:30:00Z'],
    ['2024-11-03T01:30:00', '2024-11-03T05:30:00Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59Z'],
  ])('%s is %s', (expr, expected) => {
    expect(at(expr, { after: '2000-01-01T00:00:00Z' })).toEqual([expected]);
    expect(at(expr, { after: expected })).toEqual([]);
  });

  it('obeys its policy, and refuses a time it would skip', () => {
    expect(at('2024-11-03T01:30:00', { dst: { fold: 'second' } })).toEqual(['2024-11-03T06:30:00Z']);
    expect(at('2024-03-10T02:30:00', { dst: { gap: 'next' } })).toEqual(['2024-03-10T07:00:00Z']);
    expect(() => at('2024-03-10T02:30:00', { dst: { gap: 'skip' } })).toThrowError(/does not exist/);
  });

  it.each([
    'tomorrow',
    '2024-07-04',
    '2024-02-30T09:00:00',
    '2024-07-04T24:00:00Z',
    '2024-07-04T09:60:00Z',
    '09:00',
    '2024-07-04T09:00:00+25:00',
    '2024-07-04T09:00:00 Europe/Berlin',
    ' ',
    '1720000000',
  ])('refuses %j', (expr) => {
    expect(() => at(expr)).toThrowError(expect.objectContaining({ code: 'PAO_SCHEDULE_INVALID' }));
  });

  it('says that an offset is missing, and where the time is past, in a gap or in a fold', () => {
    expect(codes(once('2027-01-01T09:00:00'))).toEqual(['no_offset']);
    expect(codes(once('2027-01-01T09:00:00Z'))).toEqual([]);
    expect(codes(once('2020-01-01T09:00:00Z'))).toEqual(['past']);
    expect(codes(once('2027-03-28T03:30:00', 'Europe/Chisinau'))).toContain('no_offset');
    expect(codes(once('2027-03-14T02:30:00', 'America/New_York'))).toContain('gap_ahead');
    expect(codes(once('2027-11-07T01:30:00', 'America/New_York'))).toContain('fold_ahead');
  });
});

suite('in words', () => {
  it.each([
    [
      rrule('FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0'),
      'every weekday at 08:30 (Europe/Chisinau); next Tue 24 Nov 2026 08:30 (06:30Z)',
    ],
    [cron('30 8 * * 1-5'), 'every weekday at 08:30 (Europe/Chisinau); next Tue 24 Nov 2026 08:30 (06:30Z)'],
    [cron('*/15 * * * *'), 'every 15 minutes (Europe/Chisinau); next Mon 23 Nov 2026 14:15 (12:15Z)'],
    [cron('0 * * * *'), 'every hour (Europe/Chisinau); next Mon 23 Nov 2026 15:00 (13:00Z)'],
    [
      cron('*/10 9-17 * * 1-5'),
      'every 10 minutes from 09:00 to 17:59, every weekday (Europe/Chisinau); next Mon 23 Nov 2026 14:10 (12:10Z)',
    ],
    [
      cron('0 9 1,15 * *'),
      'on the 1st and 15th of the month at 09:00 (Europe/Chisinau); next Tue 1 Dec 2026 09:00 (07:00Z)',
    ],
    [
      cron('0 9 * JAN 5L'),
      'on the last Friday of the month in January at 09:00 (Europe/Chisinau); next Fri 29 Jan 2027 09:00 (07:00Z)',
    ],
    [
      cron('0 9 13 * 5'),
      'on the 13th of the month and also every Friday at 09:00 (Europe/Chisinau); next Fri 27 Nov 2026 09:00 (07:00Z)',
    ],
    [
      rrule('FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1'),
      'on the last weekday of every month at 08:30 (Europe/Chisinau); next Mon 30 Nov 2026 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=MONTHLY;BYDAY=2TU'),
      'on the 2nd Tuesday of every month at 08:30 (Europe/Chisinau); next Tue 8 Dec 2026 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=MONTHLY;BYMONTHDAY=-1;INTERVAL=2'),
      'on the last day of every 2 months at 08:30 (Europe/Chisinau); next Mon 30 Nov 2026 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=YEARLY'),
      'every year on 1 January at 08:30 (Europe/Chisinau); next Fri 1 Jan 2027 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO'),
      'every year on Monday of week 20 at 08:30 (Europe/Chisinau); next Mon 17 May 2027 08:30 (05:30Z)',
    ],
    [
      rrule('FREQ=DAILY;INTERVAL=3;BYHOUR=8,20'),
      'every 3 days at 08:30 and 20:30 (Europe/Chisinau); next Tue 24 Nov 2026 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR'),
      'every 2 weeks on Monday and Friday at 08:30 (Europe/Chisinau); next Mon 30 Nov 2026 08:30 (06:30Z)',
    ],
    [
      rrule('FREQ=MINUTELY;INTERVAL=15;BYHOUR=9,10,11;BYDAY=SA,SU'),
      'every 15 minutes from 09:00 to 11:59, every Saturday and Sunday (Europe/Chisinau); next Sat 28 Nov 2026 09:00 (07:00Z)',
    ],
    [rrule('FREQ=DAILY;COUNT=3'), 'every day at 08:30, 3 times (Europe/Chisinau); never again'],
    [
      once('2026-11-24T08:30:00'),
      'once on Tue 24 Nov 2026 08:30 (Europe/Chisinau); next Tue 24 Nov 2026 08:30 (06:30Z)',
    ],
    [
      { ...cron('0 9 1 * *'), businessDays: { calendar: 'RO', roll: 'next' } },
      'on the 1st of the month at 09:00, moved to the next of the working days of RO (Europe/Chisinau); next Wed 2 Dec 2026 09:00 (07:00Z)',
    ],
  ] as [RecurrenceSpec, string][])('%o', (spec, words) => {
    expect(describe(spec, { now: NOW })).toBe(words);
  });
});

suite('warnings', () => {
  it('name a gap and a fold within the year that hit the schedule, with what will happen', () => {
    const found = compileRecurrence(cron('30 2 * * *', 'America/New_York')).warnings(NOW);
    expect(found).toEqual([
      {
        code: 'gap_ahead',
        message:
          'Sun 14 Mar 2027 02:30 does not exist, the clock jumps over it in America/New_York; it fires at 03:00 instead.',
        at: '2027-03-14T07:00:00Z',
      },
    ]);
    expect(codes(cron('30 1 * * *', 'America/New_York'))).toEqual(['fold_ahead']);
    expect(codes(rrule('FREQ=DAILY', '2026-01-01T02:30:00', 'America/New_York'))).toEqual(['gap_ahead']);
    expect(codes(cron('30 12 * * *', 'America/New_York'))).toEqual([]);
    expect(codes(cron('*/15 * * * *', 'America/New_York'))).toEqual([]);
  });

  it.each([
    [cron('0 9 13 * 5'), 'day_or_weekday'],
    [cron('* * * * * *'), 'often'],
    [rrule('FREQ=SECONDLY;INTERVAL=30'), 'often'],
    [cron('0 9 29 2 *'), 'leap_day'],
    [rrule('FREQ=MONTHLY;BYMONTHDAY=31'), 'short_months'],
    [rrule('FREQ=HOURLY;INTERVAL=6'), 'elapsed_time'],
    [rrule('FREQ=DAILY;COUNT=1'), 'exhausted'],
  ] as [RecurrenceSpec, string][])('%o: %s', (spec, code) => {
    expect(codes(spec)).toContain(code);
  });

  it.each([
    [cron('0 9 13 * +5')],
    [cron('* * * * *')],
    [rrule('FREQ=MONTHLY;BYMONTHDAY=28')],
    [rrule('FREQ=HOURLY;INTERVAL=6', '2026-01-01T00:00:00', 'UTC')],
  ])('%o: none', (spec) => {
    expect(codes(spec)).toEqual([]);
  });

  it('say when a run takes longer than the time to the next', () => {
    const rule = compileRecurrence(cron('*/5 * * * *'));
    expect(rule.warnings(NOW, { runMs: 600_000 }).map(({ code }) => code)).toContain('overlaps');
    expect(rule.warnings(NOW, { runMs: 60_000 })).toEqual([]);
    expect(rule.shortestIntervalMs(NOW)).toBe(300_000);
  });
});

suite('validate', () => {
  it('tells everything about a valid schedule', () => {
    const verdict = validate(
      { kind: 'rrule', expr: 'FREQ=DAILY;BYHOUR=9', tzid: 'Europe/Berlin' },
      { now: NOW, count: 2 },
    );
    expect(verdict).toEqual({
      valid: true,
      problems: [],
      words: 'every day at 09:00 (Europe/Berlin); next Tue 24 Nov 2026 09:00 (08:00Z)',
      warnings: [],
      next: [
        { at: '2026-11-24T08:00:00Z', local: '2026-11-24T09:00:00+01:00' },
        { at: '2026-11-25T08:00:00Z', local: '2026-11-25T09:00:00+01:00' },
      ],
      timezone: 'Europe/Berlin',
      dtstart: '2026-11-22T23:00:00Z',
    });
  });

  it('gives problems instead of throwing', () => {
    const verdict = validate(cron('61 8 * * 9'), { now: NOW });
    expect([verdict.valid, verdict.problems.length, verdict.next]).toEqual([false, 2, []]);
  });
});

suite('business days', () => {
  const us = (
    expr: string,
    roll: 'next' | 'previous' | 'skip',
    after: string,
    count = 3,
    more = {},
  ): string[] =>
    nextOccurrences({
      kind: 'cron',
      expr,
      tzid: 'America/New_York',
      after,
      count,
      businessDays: { calendar: 'US', roll, ...more },
    });

  it('moves a holiday and a weekend to the next working day, to the one before, or leaves it out', () => {
    // Saturday 4 July 2026: Independence Day, also kept on Friday the 3rd.
    expect(us('0 9 4 7 *', 'next', '2026-06-01T00:00:00Z', 1)).toEqual(['2026-07-06T13:00:00Z']);
    expect(us('0 9 4 7 *', 'previous', '2026-06-01T00:00:00Z', 1)).toEqual(['2026-07-02T13:00:00Z']);
    expect(us('0 9 15 8 *', 'skip', '2026-06-01T00:00:00Z', 1)).toEqual(['2028-08-15T13:00:00Z']);
    expect(us('0 9 25 12 *', 'next', '2026-12-01T00:00:00Z', 1)).toEqual(['2026-12-28T14:00:00Z']);
  });

  it('gives each working day once, in order, however many days roll onto it', () => {
    const days = us('0 9 * * *', 'next', '2026-11-25T15:00:00Z', 4);
    // Thursday 26 November is Thanksgiving.
    expect(days).toEqual([
      '2026-11-27T14:00:00Z',
      '2026-11-30T14:00:00Z',
      '2026-12-01T14:00:00Z',
      '2026-12-02T14:00:00Z',
    ]);
    expect(us('0 9 * * *', 'previous', '2026-11-24T15:00:00Z', 3)).toEqual([
      '2026-11-25T14:00:00Z',
      '2026-11-27T14:00:00Z',
      '2026-11-30T14:00:00Z',
    ]);
  });

  it('next(x) after each is the one that follows, also with different times on the days that roll', () => {
    for (const roll of ['next', 'previous', 'skip'] as const) {
      const rule = compileRecurrence({
        kind: 'rrule',
        expr: 'FREQ=HOURLY;INTERVAL=7',
        tzid: 'America/New_York',
        dtstart: '2026-06-01T01:00:00',
        businessDays: { calendar: 'US', roll },
      });
      const taken = rule.take(Date.UTC(2026, 5, 25), 80);
      for (let index = 1; index < taken.length; index += 1) {
        expect(taken[index] as number).toBeGreaterThan(taken[index - 1] as number);
        expect(rule.next(taken[index - 1] as number)).toBe(taken[index]);
        expect(rule.next((taken[index] as number) - 1000)).toBe(taken[index]);
      }
    }
  });

  it('knows days of its own, weekends of other countries, and a calendar without holidays', () => {
    expect(us('0 9 * * *', 'skip', '2026-11-23T15:00:00Z', 1, { dates: ['2026-11-24'] })).toEqual([
      '2026-11-25T14:00:00Z',
    ]);
    const egypt = nextOccurrences({
      kind: 'cron',
      expr: '0 9 * * *',
      tzid: 'Africa/Cairo',
      after: '2026-11-26T12:00:00Z',
      count: 2,
      businessDays: { calendar: 'EG', roll: 'skip' },
    });
    expect(egypt).toEqual(['2026-11-29T07:00:00Z', '2026-11-30T07:00:00Z']);
    expect(us('0 9 25 12 *', 'next', '2026-12-01T00:00:00Z', 1, { calendar: 'none' })).toEqual([
      '2026-12-25T14:00:00Z',
    ]);
  });

  it('refuses what never fires on a working day', () => {
    expect(() => us('0 9 4 7 *', 'skip', '2026-01-01T00:00:00Z', 1)).toThrowError(/never fires/);
    expect(() => us('0 9 * * 6', 'skip', '2026-01-01T00:00:00Z', 1)).toThrowError(/never fires/);
  });
});

suite('intervals and English', () => {
  it.each([
    ['15m', 'FREQ=MINUTELY;INTERVAL=15'],
    ['90s', 'FREQ=SECONDLY;INTERVAL=90'],
    ['1h30m', 'FREQ=MINUTELY;INTERVAL=90'],
    ['24h', 'FREQ=HOURLY;INTERVAL=24'],
    ['1d', 'FREQ=DAILY'],
    ['2w', 'FREQ=WEEKLY;INTERVAL=2'],
  ])('every %s is %s', (every, expr) => {
    const spec = everyInterval(every, 'UTC', '2026-01-01T00:00:00Z');
    expect(spec.expr).toBe(expr);
    expect(compileRecurrence(spec).next(0)).toBe(Date.UTC(2026, 0, 1));
  });

  it.each(['', '500ms', '0s', 'often', '1.5s', '-5m'])('refuses every %j', (every) => {
    expect(() => everyInterval(every, 'UTC', 0)).toThrowError(
      expect.objectContaining({ code: 'PAO_SCHEDULE_INVALID' }),
    );
  });

  it.each([
    ['every weekday at 9', 'every weekday at 09:00'],
    ['every 2 weeks on Monday at 10', 'every 2 weeks on Monday at 10:00'],
    ['every month on the 1st friday at 8', 'on the 1st Friday of every month at 08:00'],
  ])('understands %s', async (text, words) => {
    expect(describe(rrule(await ruleFromText(text)), { now: NOW })).toContain(words);
  });

  it.each(['', 'hello', 'x'.repeat(5000), 'every'])('refuses %j', async (text) => {
    await expect(ruleFromText(text)).rejects.toThrowError(PaoError);
  });
});

suite('compileRecurrence', () => {
  it('gives the same object for the same schedule, and holds only so many', () => {
    const spec = cron('1 2 3 4 *');
    const first = compileRecurrence(spec);
    expect(compileRecurrence({ ...spec })).toBe(first);
    for (let index = 0; index < 2500; index += 1)
      compileRecurrence(
        rrule(
          'FREQ=DAILY',
          `2020-01-01T${String(Math.trunc(index / 60) % 24).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}:${String(Math.trunc(index / 1440)).padStart(2, '0')}`,
        ),
      );
    expect(compileRecurrence(spec)).not.toBe(first);
  });

  it('needs a start for an rrule, so that INTERVAL and COUNT never drift', () => {
    expect(() => compileRecurrence({ kind: 'rrule', expr: 'FREQ=DAILY', tzid: 'UTC' })).toThrowError(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/dtstart' })] }),
    );
  });

  it('looks back as it looks ahead', () => {
    const rule = compileRecurrence(
      rrule('FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29', '2000-02-29T00:00:00', 'UTC'),
    );
    expect(rule.previousOrAt(Date.UTC(2027, 0, 1))).toBe(Date.UTC(2024, 1, 29));
    expect(rule.previousOrAt(Date.UTC(2000, 1, 29))).toBe(Date.UTC(2000, 1, 29));
    expect(rule.previousOrAt(Date.UTC(2000, 1, 28))).toBeNull();
  });

  it('ends at the year 9999', () => {
    const rule = compileRecurrence(rrule('FREQ=YEARLY', '2000-01-01T00:00:00', 'UTC'));
    expect(rule.next(Date.UTC(9998, 11, 31))).toBe(Date.UTC(9999, 0, 1));
    expect(rule.next(Date.UTC(9999, 0, 1))).toBeNull();
    expect(rule.next(Number.MAX_SAFE_INTEGER)).toBeNull();
  });
});
