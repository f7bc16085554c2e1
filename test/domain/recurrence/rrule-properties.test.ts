import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import { compileRecurrence, type Recurrence } from '../../../src/domain/recurrence/index.js';
import { expand, type OracleRule, toText } from './rrule-oracle.js';
import { instantsOf } from './zone-oracle.js';

const DAY = 86_400_000;
const RUNS = Number(process.env.PAO_PROPERTY_RUNS ?? 300);
const ZONES = [
  'UTC',
  'America/New_York',
  'Europe/Chisinau',
  'Australia/Lord_Howe',
  'Africa/Casablanca',
  'America/Havana',
];
const CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU'];

const numbers = (min: number, max: number, most = 3): fc.Arbitrary<number[]> =>
  fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: most });
const signed = (max: number, most = 3): fc.Arbitrary<number[]> =>
  fc.uniqueArray(
    fc.integer({ min: -max, max }).filter((value) => value !== 0),
    { minLength: 1, maxLength: most },
  );
const plainDays = fc.uniqueArray(fc.constantFrom(...CODES), { minLength: 1, maxLength: 5 });
const numberedDays = fc.uniqueArray(
  fc
    .tuple(fc.constantFrom('', '1', '2', '-1', '+3', '5', '-2'), fc.constantFrom(...CODES))
    .map(([n, day]) => n + day),
  { minLength: 1, maxLength: 3 },
);
/** Mostly nothing, sometimes the part. */
const maybe = <T>(part: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight, arbitrary: part });

const times = {
  BYHOUR: maybe(numbers(0, 23)),
  BYMINUTE: maybe(numbers(0, 59)),
  BYSECOND: maybe(numbers(0, 59)),
};
const common = {
  COUNT: maybe(fc.integer({ min: 1, max: 12 })),
  /** Seconds after DTSTART; often just where an occurrence is. */
  UNTIL: maybe(
    fc.oneof(
      fc.integer({ min: 0, max: 400 * 86_400 }),
      fc.integer({ min: 0, max: 400 }).map((days) => days * 86_400),
    ),
  ),
  WKST: maybe(fc.constantFrom(...CODES)),
};
const setPos = maybe(signed(6));

function clean(rule: Record<string, unknown>): OracleRule {
  const kept = Object.fromEntries(
    Object.entries(rule).filter(([, value]) => value !== undefined),
  ) as unknown as OracleRule;
  const by = Object.keys(kept).some((key) => key.startsWith('BY') && key !== 'BYSETPOS');
  if (kept.BYSETPOS && !by) delete kept.BYSETPOS;
  if (kept.COUNT) delete kept.UNTIL;
  if (kept.BYWEEKNO && kept.BYDAY) kept.BYDAY = kept.BYDAY.map((day) => day.slice(-2));
  return kept;
}

const calendarRule = fc
  .oneof(
    fc.record({
      FREQ: fc.constant('DAILY'),
      INTERVAL: maybe(fc.integer({ min: 1, max: 9 })),
      BYMONTH: maybe(numbers(1, 12)),
      BYMONTHDAY: maybe(signed(31)),
      BYDAY: maybe(plainDays),
      ...times,
      BYSETPOS: setPos,
      ...common,
    }),
    fc.record({
      FREQ: fc.constant('WEEKLY'),
      INTERVAL: maybe(fc.integer({ min: 1, max: 5 })),
      BYMONTH: maybe(numbers(1, 12)),
      BYDAY: maybe(plainDays, 3),
      ...times,
      BYSETPOS: setPos,
      ...common,
    }),
    fc.record({
      FREQ: fc.constant('MONTHLY'),
      INTERVAL: maybe(fc.integer({ min: 1, max: 7 })),
      BYMONTH: maybe(numbers(1, 12)),
      BYMONTHDAY: maybe(signed(31), 2),
      BYDAY: maybe(numberedDays, 3),
      ...times,
      BYSETPOS: setPos,
      ...common,
    }),
    fc.record({
      FREQ: fc.constant('YEARLY'),
      INTERVAL: maybe(fc.integer({ min: 1, max: 3 })),
      BYMONTH: maybe(numbers(1, 12), 2),
      BYMONTHDAY: maybe(signed(31)),
      BYYEARDAY: maybe(signed(366)),
      BYWEEKNO: maybe(signed(53), 2),
      BYDAY: maybe(numberedDays, 2),
      ...times,
      BYSETPOS: setPos,
      ...common,
    }),
  )
  .map(clean);

const elapsedRule = fc
  .oneof(
    fc.record({
      FREQ: fc.constant('HOURLY'),
      INTERVAL: maybe(fc.integer({ min: 1, max: 30 }), 3),
      BYMONTH: maybe(numbers(1, 12)),
      BYDAY: maybe(plainDays),
      BYMONTHDAY: maybe(signed(31)),
      ...times,
      BYSETPOS: setPos,
      ...common,
    }),
    fc.record({
      FREQ: fc.constant('MINUTELY'),
      INTERVAL: fc.integer({ min: 5, max: 2000 }),
      BYDAY: maybe(plainDays),
      BYHOUR: maybe(numbers(0, 23, 8)),
      BYMINUTE: maybe(numbers(0, 59, 9)),
      BYSECOND: maybe(numbers(0, 59)),
      BYSETPOS: setPos,
      ...common,
    }),
    fc.record({
      FREQ: fc.constant('SECONDLY'),
      INTERVAL: fc.integer({ min: 60, max: 90_000 }),
      BYYEARDAY: maybe(signed(366, 6)),
      BYHOUR: maybe(numbers(0, 23, 12)),
      BYMINUTE: maybe(numbers(0, 59, 20)),
      BYSECOND: maybe(numbers(0, 59, 30)),
      ...common,
    }),
  )
  .map(clean);

const zone = fc.constantFrom(...ZONES);
/** Local starts, in whole seconds, many of them near a change of the clock. */
const start = (from: number): fc.Arbitrary<number> =>
  fc.oneof(
    fc.integer({ min: 0, max: 365 * 86_400 }).map((second) => from + second * 1000),
    fc
      .tuple(
        fc.constantFrom('2024-03-10', '2024-11-03', '2024-03-31', '2024-10-27', '2024-04-07', '2024-10-06'),
        fc.integer({ min: -60, max: 200 }),
      )
      .map(([day, quarter]) => Date.parse(`${day}T00:00:00Z`) + quarter * 900_000),
  );

function compile(rule: OracleRule, tzid: string, wall: number): Recurrence | null {
  const dtstart = new Date(wall).toISOString().slice(0, 19);
  try {
    return compileRecurrence({ kind: 'rrule', expr: toText(rule), tzid, dtstart });
  } catch (error) {
    if (error instanceof PaoError && /never fires/.test(error.message)) return null;
    throw error;
  }
}

function agrees(drawn: OracleRule, tzid: string, wall: number, days: number): void {
  const rule = withUntil(drawn, tzid, wall);
  const end = wall + days * DAY;
  const expected = expand(rule, tzid, wall, end).slice(0, 40);
  const recurrence = compile(rule, tzid, wall);
  const context = `${toText(rule)} ${tzid} ${new Date(wall).toISOString()}`;
  const found = recurrence ? recurrence.take(wall - 3 * DAY, Math.max(1, expected.length)) : [];
  const within = found.filter((instant) => instant < end);
  expect([context, ...within.map(iso)]).toEqual([context, ...expected.map(iso)]);
  for (let index = 1; index < expected.length; index += 1) {
    expect(recurrence?.next(expected[index - 1] as number)).toBe(expected[index]);
    expect(recurrence?.previousOrAt((expected[index] as number) - 1000)).toBe(expected[index - 1]);
  }
}

/** UNTIL is drawn relative to the start, and is an instant in a rule. */
function withUntil(rule: OracleRule, tzid: string, wall: number): OracleRule {
  if (rule.UNTIL === undefined) return rule;
  const { found, gap } = instantsOf(tzid, wall);
  return { ...rule, UNTIL: (found[0] ?? (gap?.shifted as number)) + rule.UNTIL * 1000 };
}

const iso = (instant: number): string => new Date(instant).toISOString();

describe('RRULE against a literal reading of RFC 5545', () => {
  it('rules by days, weeks, months and years agree', () => {
    fc.assert(
      fc.property(calendarRule, zone, start(Date.UTC(2023, 6, 1)), (rule, tzid, wall) => {
        agrees(rule, tzid, wall, rule.FREQ === 'YEARLY' ? 1200 : 500);
      }),
      { numRuns: RUNS },
    );
  });

  it('rules by hours, minutes and seconds agree', () => {
    fc.assert(
      fc.property(elapsedRule, zone, start(Date.UTC(2024, 0, 1)), (rule, tzid, wall) => {
        agrees(rule, tzid, wall, rule.FREQ === 'HOURLY' ? 12 : 6);
      }),
      { numRuns: RUNS },
    );
  });

  it('sets of several rules, RDATE and EXDATE are what set arithmetic makes of them', () => {
    const basic = (instant: number): string => iso(instant).replace(/[-:]|\.000/g, '');
    fc.assert(
      fc.property(
        fc.array(calendarRule, { minLength: 1, maxLength: 3 }),
        zone,
        start(Date.UTC(2023, 6, 1)),
        fc.array(fc.nat(400 * 24 * 4), { maxLength: 3 }),
        fc.array(fc.nat(30), { maxLength: 6 }),
        (drawn, tzid, wall, quarters, leftOut) => {
          const end = wall + 400 * DAY;
          const rules = drawn
            .map((rule) => withUntil(rule, tzid, wall))
            .filter((rule) => compile(rule, tzid, wall));
          if (rules.length === 0) return;
          const extra = quarters.map((quarter) => wall + quarter * 900_000);
          const all = [...rules.flatMap((rule) => expand(rule, tzid, wall, end)), ...extra];
          const sorted = [...new Set(all)].filter((at) => at < end).sort((a, b) => a - b);
          const excluded = [...new Set(leftOut.flatMap((index) => sorted[index] ?? []))];
          const expected = sorted.filter((at) => !excluded.includes(at)).slice(0, 40);
          if (expected.length === 0) return;
          const lines = rules.map((rule) => `RRULE:${toText(rule)}`);
          if (extra.length > 0) lines.push(`RDATE:${extra.map(basic).join(',')}`);
          if (excluded.length > 0) lines.push(`EXDATE:${excluded.map(basic).join(',')}`);
          const expr = lines.join('\n');
          const dtstart = iso(wall).slice(0, 19);
          const found = compileRecurrence({ kind: 'rrule', expr, tzid, dtstart }).take(
            wall - 3 * DAY,
            expected.length,
          );
          expect([expr, ...found.map(iso)]).toEqual([expr, ...expected.map(iso)]);
        },
      ),
      { numRuns: RUNS / 3 },
    );
  });
});
