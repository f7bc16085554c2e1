import { setImmediate as nextTurn } from 'node:timers/promises';
import { compileRecurrence, type RecurrenceSpec } from '../../domain/recurrence/index.js';

const TZID = 'America/New_York';
const rrule = (expr: string, dtstart: string): RecurrenceSpec => ({
  kind: 'rrule',
  expr,
  tzid: TZID,
  dtstart,
});
const cron = (expr: string): RecurrenceSpec => ({ kind: 'cron', expr, tzid: TZID });

/** The rules of the speed table in recurrence.md, section 6, and some that are hard. */
const RULES: Record<string, RecurrenceSpec> = {
  'weekday 8:30, 2 years old': rrule(
    'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0',
    '2023-01-02T08:30:00',
  ),
  'monthly last business day, 2 years old': rrule(
    'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;BYHOUR=17;BYMINUTE=0;BYSECOND=0',
    '2023-01-31T17:00:00',
  ),
  'every 15 minutes, 5 years old': rrule('FREQ=MINUTELY;INTERVAL=15', '2020-01-01T00:00:00'),
  'every minute, 10 years old': rrule('FREQ=MINUTELY', '2015-01-01T00:00:00'),
  'daily, 30 years old': rrule('FREQ=DAILY', '1995-01-01T09:00:00'),
  'cron weekday 8:30': cron('30 8 * * 1-5'),
  'cron every 15 minutes': cron('*/15 * * * *'),
  'cron monthly': cron('0 9 1 * *'),
  'cron 29 February': cron('0 12 29 2 *'),
  'yearly, week 20': rrule('FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO', '1997-05-12T09:00:00'),
  'every 15 minutes in office hours': rrule(
    'FREQ=MINUTELY;INTERVAL=15;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9,10,11,12,13,14,15,16',
    '2020-01-01T00:00:00',
  ),
  'daily, 10,000 times': rrule('FREQ=DAILY;COUNT=10000', '2015-01-01T09:00:00'),
};

const START = Date.UTC(2025, 0, 1);
const YEAR = 365 * 86_400_000;

/** Of one rule, how many a second: next occurrences of a rule that is kept, and rules that are read and made ready. */
export interface RuleSpeed {
  next_per_second: number;
  compile_per_second: number;
}

/**
 * Speed of the recurrence engine: the next occurrence after a random instant of 2025, America/New_York.
 * @param ms how long each rule is measured.
 */
export async function measureRecurrence(ms: number, signal: AbortSignal): Promise<Record<string, RuleSpeed>> {
  const results: Record<string, RuleSpeed> = {};
  for (const [name, spec] of Object.entries(RULES)) {
    signal.throwIfAborted();
    results[name] = perSecond(spec, ms);
    // Ctrl-C has its turn.
    await nextTurn();
  }
  return results;
}

function perSecond(spec: RecurrenceSpec, ms: number): RuleSpeed {
  const rule = compileRecurrence(spec);
  let seed = 42;
  const instant = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return START + (seed / 2 ** 32) * YEAR;
  };
  for (let warm = 0; warm < 20_000; warm += 1) rule.next(instant());
  let done = 0;
  const started = performance.now();
  while (performance.now() - started < ms) {
    for (let batch = 0; batch < 1000; batch += 1) rule.next(instant());
    done += 1000;
  }
  const nextPerSecond = Math.round((done / (performance.now() - started)) * 1000);
  // A business-day list of its own makes every compilation miss the cache.
  const compileStarted = performance.now();
  for (let index = 0; index < 2000; index += 1) {
    compileRecurrence(
      spec.kind === 'cron'
        ? {
            ...spec,
            expr: `${spec.expr}${' '.repeat(index % 250)}`,
            dst: { gap: index % 2 ? 'shift' : 'next' },
          }
        : {
            ...spec,
            dtstart: `${Number(String(spec.dtstart).slice(0, 4)) - 1}-01-01T00:${String(Math.trunc(index / 60)).padStart(2, '0')}:${String(index % 60).padStart(2, '0')}`,
          },
    );
  }
  const compilePerSecond = Math.round((2000 / (performance.now() - compileStarted)) * 1000);
  return { next_per_second: nextPerSecond, compile_per_second: compilePerSecond };
}
