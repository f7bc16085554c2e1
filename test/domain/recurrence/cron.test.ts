import { Cron } from 'croner';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import {
  compileRecurrence,
  cronSecondOpinion,
  nextOccurrences,
  type Recurrence,
} from '../../../src/domain/recurrence/index.js';
import { cronExpression, damagedExpression } from './cron-generator.js';
import { instantsOf, localOf } from './zone-oracle.js';

const RUNS = Number(process.env.PAO_PROPERTY_RUNS ?? 400);
const ZONES = [
  'UTC',
  'America/New_York',
  'Australia/Lord_Howe',
  'Europe/Chisinau',
  'Africa/Casablanca',
  'America/Havana',
  'America/St_Johns',
];
const NEAR_CHANGES = [
  '2024-03-10',
  '2024-11-03',
  '2024-03-31',
  '2024-10-27',
  '2024-04-07',
  '2024-10-06',
  '2026-02-15',
  '2026-03-22',
];

const instant = fc.oneof(
  fc
    .integer({ min: Date.UTC(2023, 0, 1) / 1000, max: Date.UTC(2027, 0, 1) / 1000 })
    .map((second) => second * 1000),
  fc
    .tuple(fc.constantFrom(...NEAR_CHANGES), fc.integer({ min: -1440, max: 2880 }))
    .map(([day, minute]) => Date.parse(`${day}T00:00:00Z`) + minute * 60_000),
);

function ours(expr: string, tzid: string): Recurrence | null {
  try {
    return compileRecurrence({ kind: 'cron', expr, tzid });
  } catch (error) {
    if (error instanceof PaoError && error.code === 'PAO_SCHEDULE_INVALID') return null;
    throw error;
  }
}

function croners(expr: string, timezone: string): Cron | null {
  try {
    const cron = new Cron(expr, {
      paused: true,
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
      timezone,
    });
    return cron.nextRun(new Date(Date.UTC(2024, 0, 1))) ? cron : null;
  } catch {
    return null;
  }
}

const next = (expr: string, tzid: string, after: string, count = 3, more = {}): string[] =>
  nextOccurrences({ kind: 'cron', expr, tzid, after, count, ...more });

describe('cron', () => {
  it('gives the instants croner gives, near changes of the clock too', () => {
    fc.assert(
      fc.property(cronExpression, fc.constantFrom(...ZONES), instant, (expr, tzid, after) => {
        const theirs = croners(expr, tzid);
        const mine = ours(expr, tzid);
        expect([expr, mine !== null]).toEqual([expr, theirs !== null]);
        const expected = theirs?.nextRuns(5, new Date(after)).map((date) => date.getTime()) ?? [];
        // croner stops at the year 3000.
        expect([expr, ...(mine?.take(after, expected.length) ?? [])]).toEqual([expr, ...expected]);
      }),
      { numRuns: RUNS },
    );
  });

  it('refuses what croner refuses, and ranges whose step was never possible', () => {
    fc.assert(
      fc.property(damagedExpression, (expr) => {
        const accepted = ours(expr, 'UTC') !== null;
        // croner lets the upper end of a range with a step lie beyond the field.
        const beyond = /\d+-\d+\/\d+/.test(expr);
        if (!beyond) expect([expr, accepted]).toEqual([expr, croners(expr, 'UTC') !== null]);
        else if (accepted) expect(croners(expr, 'UTC')).not.toBeNull();
      }),
      { numRuns: RUNS * 5 },
    );
  });

  it('fires in exactly the minutes a scan of the local clock finds', () => {
    fc.assert(
      fc.property(
        fc.tuple(
          fc.integer({ min: 0, max: 59 }),
          fc.integer({ min: 0, max: 23 }),
          fc.constantFrom('*', '1-5', '0,3'),
        ),
        fc.constantFrom(...ZONES),
        fc.constantFrom(...NEAR_CHANGES),
        fc.boolean(),
        ([minute, hour, weekdays], tzid, day, wild) => {
          const from = Date.parse(`${day}T00:00:00Z`) - 86_400_000;
          const to = from + 3 * 86_400_000;
          const expr = wild
            ? `*/${(minute % 30) + 1} ${hour} * * ${weekdays}`
            : `${minute} ${hour} * * ${weekdays}`;
          const found = ours(expr, tzid)
            ?.take(from - 1, 200)
            .filter((at) => at < to);
          expect([expr, tzid, ...(found ?? [])]).toEqual([
            expr,
            tzid,
            ...scan(minute, hour, weekdays, wild, tzid, from, to),
          ]);
        },
      ),
      { numRuns: RUNS / 4 },
    );
  });

  it('moves a fixed time in a gap to the end of the gap, once', () => {
    expect(next('30 2 * * *', 'America/New_York', '2024-03-09T12:00:00Z', 2)).toEqual([
      '2024-03-10T07:00:00Z',
      '2024-03-11T06:30:00Z',
    ]);
    expect(next('0,30 2 * * *', 'America/New_York', '2024-03-10T00:00:00Z', 2)).toEqual([
      '2024-03-10T07:00:00Z',
      '2024-03-11T06:00:00Z',
    ]);
    expect(next('0,15,30,45 2,3 * * *', 'America/New_York', '2024-03-10T00:00:00Z', 2)).toEqual([
      '2024-03-10T07:00:00Z',
      '2024-03-10T07:15:00Z',
    ]);
  });

  it('moves it also when the gap ends at midnight, so that no run is lost', () => {
    expect(next('30 23 * * *', 'America/Nuuk', '2025-03-29T12:00:00Z', 2)).toEqual([
      '2025-03-30T01:00:00Z',
      '2025-03-31T00:30:00Z',
    ]);
  });

  it('fires a fixed time in a fold once, the first time', () => {
    expect(next('30 1 * * *', 'America/New_York', '2024-11-02T12:00:00Z', 2)).toEqual([
      '2024-11-03T05:30:00Z',
      '2024-11-04T06:30:00Z',
    ]);
  });

  it('fires a wildcard in both passes of a fold and loses nothing in a gap', () => {
    expect(next('*/30 * * * *', 'America/New_York', '2024-11-03T04:45:00Z', 5)).toEqual([
      '2024-11-03T05:00:00Z',
      '2024-11-03T05:30:00Z',
      '2024-11-03T06:00:00Z',
      '2024-11-03T06:30:00Z',
      '2024-11-03T07:00:00Z',
    ]);
    expect(next('0 * * * *', 'America/New_York', '2024-03-10T05:30:00Z', 3)).toEqual([
      '2024-03-10T06:00:00Z',
      '2024-03-10T07:00:00Z',
      '2024-03-10T08:00:00Z',
    ]);
  });

  it.each([
    ['shift', 'first', ['2024-03-10T07:30:00Z', '2024-03-11T06:30:00Z']],
    ['next', 'first', ['2024-03-10T07:00:00Z', '2024-03-11T06:30:00Z']],
    ['skip', 'first', ['2024-03-11T06:30:00Z', '2024-03-12T06:30:00Z']],
  ] as const)('obeys gap: %s', (gap, fold, expected) => {
    expect(next('30 2 * * *', 'America/New_York', '2024-03-09T12:00:00Z', 2, { dst: { gap, fold } })).toEqual(
      expected,
    );
  });

  it.each([
    ['first', ['2024-11-03T05:30:00Z', '2024-11-04T06:30:00Z', '2024-11-05T06:30:00Z']],
    ['second', ['2024-11-03T06:30:00Z', '2024-11-04T06:30:00Z', '2024-11-05T06:30:00Z']],
    ['both', ['2024-11-03T05:30:00Z', '2024-11-03T06:30:00Z', '2024-11-04T06:30:00Z']],
  ] as const)('obeys fold: %s', (fold, expected) => {
    expect(next('30 1 * * *', 'America/New_York', '2024-11-02T12:00:00Z', 3, { dst: { fold } })).toEqual(
      expected,
    );
    expect(
      next('*/15 1 * * *', 'America/New_York', '2024-11-03T04:00:00Z', 20, { dst: { fold } }).filter(
        (at) => at < '2024-11-03T12',
      ),
    ).toHaveLength(fold === 'both' ? 8 : 4);
  });

  it('takes either day field, or both when asked', () => {
    expect(next('0 0 13 * 5', 'UTC', '2026-02-13T00:00:00Z', 3)).toEqual([
      '2026-02-20T00:00:00Z',
      '2026-02-27T00:00:00Z',
      '2026-03-06T00:00:00Z',
    ]);
    const both = ['2026-02-13T00:00:00Z', '2026-03-13T00:00:00Z', '2026-11-13T00:00:00Z'];
    expect(next('0 0 13 * 5', 'UTC', '2026-02-12T00:00:00Z', 3, { dayMatch: 'and' })).toEqual(both);
    expect(next('0 0 13 * +5', 'UTC', '2026-02-12T00:00:00Z', 3)).toEqual(both);
  });

  it.each([
    ['0 0 L * *', ['2026-01-31', '2026-02-28', '2026-03-31']],
    ['0 0 LW * *', ['2026-01-30', '2026-02-27', '2026-03-31']],
    ['0 0 15W * *', ['2026-01-15', '2026-02-16', '2026-03-16']],
    ['0 0 1W * *', ['2026-01-01', '2026-02-02', '2026-03-02']],
    ['0 0 * * FRI#2', ['2026-01-09', '2026-02-13', '2026-03-13']],
    ['0 0 * * 5L', ['2026-01-30', '2026-02-27', '2026-03-27']],
    ['0 0 29 2 *', ['2028-02-29', '2032-02-29', '2036-02-29']],
    ['@monthly', ['2026-01-01', '2026-02-01', '2026-03-01']],
    ['@weekly', ['2026-01-04', '2026-01-11', '2026-01-18']],
    ['0 0 * JAN SUN', ['2026-01-04', '2026-01-11', '2026-01-18']],
  ])('understands %s', (expr, expected) => {
    expect(next(expr, 'UTC', '2025-12-31T12:00:00Z', 3)).toEqual(expected.map((day) => `${day}T00:00:00Z`));
  });

  it('offers the second opinion of croner, and agrees with it', async () => {
    const after = Date.parse('2026-03-08T00:00:00Z');
    const mine = compileRecurrence({ kind: 'cron', expr: '30 2 * * *', tzid: 'America/New_York' }).take(
      after,
      5,
    );
    expect(await cronSecondOpinion('30 2 * * *', 'America/New_York', after, 5)).toEqual(mine);
  });

  it('has seconds as an optional first field', () => {
    expect(next('*/20 0 12 * * *', 'UTC', '2026-01-01T11:59:59Z', 4)).toEqual([
      '2026-01-01T12:00:00Z',
      '2026-01-01T12:00:20Z',
      '2026-01-01T12:00:40Z',
      '2026-01-02T12:00:00Z',
    ]);
  });

  it.each([
    '',
    ' ',
    '* * * *',
    '* * * * * * *',
    '60 * * * *',
    '* 24 * * *',
    '* * 0 * *',
    '* * 32 * *',
    '* * * 13 *',
    '* * * 0 *',
    '* * * * 8',
    '*/0 * * * *',
    '*/61 * * * *',
    '5/15 * * * *',
    '/5 * * * *',
    '5-1 * * * *',
    '1,,2 * * * *',
    ',1 * * * *',
    '1, * * * *',
    '-1 * * * *',
    '1.5 * * * *',
    'a * * * *',
    '* * * foo *',
    '* * * * mond',
    '* * * * 1#6',
    '* * * * 1#0',
    '* * L-1 * *',
    '@reboot',
    '@every 5m',
    '@',
    '@dailyy',
    '30 8 * * 1-5\n',
    '30 8\n* * 1-5',
    '\u0660 * * * *',
    '３０ 8 * * *',
    '0 0 30 2 *',
    '0 0 31 4,6,9,11 *',
    '0 0 31 2 *',
    '*'.repeat(301),
    '0 0 * * *; DROP',
    '__proto__',
    'constructor',
    '* * * __proto__ *',
  ])('refuses %j with a message for people', (expr) => {
    let thrown: unknown;
    try {
      next(expr, 'UTC', '2026-01-01T00:00:00Z');
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(PaoError);
    const error = thrown as PaoError;
    expect([error.code, error.exitCode, error.status]).toEqual(['PAO_SCHEDULE_INVALID', 2, 422]);
    expect(error.message.length).toBeLessThanOrEqual(1000);
    expect(error.message).not.toMatch(/\n/);
    expect(error.problems[0]?.pointer).toBe('/expr');
  });

  it('lists everything wrong at once', () => {
    try {
      next('99 99 99 99 99', 'UTC', '2026-01-01T00:00:00Z');
      expect.unreachable();
    } catch (error) {
      expect((error as PaoError).problems).toHaveLength(5);
    }
  });
});

/** Vixie's reading, minute by minute: fixed times once (a gap moves them to its end), wildcards by the clock. */
function scan(
  minute: number,
  hour: number,
  weekdays: string,
  wild: boolean,
  tzid: string,
  from: number,
  to: number,
): number[] {
  const allowed = weekdays === '*' ? [0, 1, 2, 3, 4, 5, 6] : weekdays === '1-5' ? [1, 2, 3, 4, 5] : [0, 3];
  const found = new Set<number>();
  if (wild) {
    const step = (minute % 30) + 1;
    for (let at = from; at < to; at += 60_000) {
      const local = new Date(localOf(tzid, at));
      if (
        local.getUTCMinutes() % step === 0 &&
        local.getUTCHours() === hour &&
        allowed.includes(local.getUTCDay())
      )
        found.add(at);
    }
  } else {
    for (let day = from - 86_400_000; day < to + 86_400_000; day += 86_400_000) {
      if (!allowed.includes(new Date(day).getUTCDay())) continue;
      const place = instantsOf(tzid, day + hour * 3_600_000 + minute * 60_000);
      found.add(place.found[0] ?? (place.gap?.end as number));
    }
  }
  return [...found].filter((at) => at >= from && at < to).sort((a, b) => a - b);
}
