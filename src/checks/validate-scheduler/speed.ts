import type { Recurrence, RecurrenceSpec } from '../../domain/recurrence/index.js';
import { type Check, CheckFailure } from '../check.js';
import type { SchedulerProof } from './proof.js';

/** Rules of the speed table in the design, old starts among them: these must not be counted from their start. */
const RULES: Record<string, Omit<RecurrenceSpec, 'tzid'>> = {
  'weekday 08:30, 2 years old': {
    kind: 'rrule',
    expr: 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=8;BYMINUTE=30;BYSECOND=0',
    dtstart: '2023-01-01T00:00:00',
  },
  'last business day of the month': {
    kind: 'rrule',
    expr: 'FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1',
    dtstart: '2023-01-01T09:00:00',
  },
  'every 15 minutes, 5 years old': {
    kind: 'rrule',
    expr: 'FREQ=MINUTELY;INTERVAL=15',
    dtstart: '2020-01-01T00:00:00',
  },
  'every minute, 10 years old': { kind: 'rrule', expr: 'FREQ=MINUTELY', dtstart: '2015-01-01T00:00:00' },
  'daily, 30 years old': { kind: 'rrule', expr: 'FREQ=DAILY', dtstart: '1995-01-01T09:00:00' },
  'cron on weekdays': { kind: 'cron', expr: '30 8 * * 1-5' },
  'cron on 29 February': { kind: 'cron', expr: '0 0 29 2 *' },
};
const TZID = 'America/New_York';
const YEAR = Date.parse('2025-01-01T00:00:00Z');
const DAY = 86_400_000;
/** Each rule is measured for this long, once it is warm. */
const MEASURE_MS = 60;
const WARM_UP = 300;
/** Who counts from the start of an old rule is far below; a machine that is merely busy is far above. */
const LEAST_PER_SECOND = 100;

/** How many next times a second this machine computes. */
export const speedCheck: Check<SchedulerProof> = {
  id: 'speed.next',
  title: 'The next time is computed without counting from the start of the rule',
  group: 'Speed',
  isExclusive: true,
  async run({ engine, clock }, { progress, signal }) {
    const rates: Record<string, number> = {};
    for (const [name, rule] of Object.entries(RULES)) {
      signal.throwIfAborted();
      progress(name);
      rates[name] = measure(engine.compile({ ...rule, tzid: TZID }), () => clock.monotonic());
      // Others of this process have their turn.
      await new Promise((resume) => setImmediate(resume));
    }
    const slow = Object.entries(rates).filter(([, rate]) => rate < LEAST_PER_SECOND);
    if (slow.length === 0) return { next_per_second: rates };
    throw new CheckFailure(
      `Only ${slow.map(([name, rate]) => `${rate} a second for "${name}"`).join(', ')}; at least ${LEAST_PER_SECOND} were expected.`,
      'pao validate scheduler --only speed.next, on a machine that is not busy',
      { next_per_second: rates },
    );
  },
};

function measure(recurrence: Recurrence, monotonic: () => number): number {
  let count = 0;
  let elapsed = 0;
  // Instants all over a year, the same ones each time.
  const next = () => recurrence.next(YEAR + ((count++ * 7919) % 365) * DAY + (count % 86_400) * 1000);
  const before = monotonic();
  for (let once = 0; once < WARM_UP && monotonic() - before < MEASURE_MS; once += 1) next();
  count = 0;
  const began = monotonic();
  while (elapsed < MEASURE_MS) {
    for (let once = 0; once < 20; once += 1) next();
    elapsed = monotonic() - began;
  }
  return Math.round(count / (elapsed / 1000));
}
