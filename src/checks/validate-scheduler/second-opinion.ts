import { type Check, CheckFailure } from '../check.js';
import type { SchedulerProof } from './proof.js';

const EXPRESSIONS = [
  '30 8 * * 1-5',
  '*/15 * * * *',
  '0 0 1 * *',
  '0 12 L * *',
  '15 3 * * 0',
  '0 9 1,15 * *',
  '5 4 * 2,8 *',
  '0 10 * * 5#3',
];
const ZONES = ['UTC', 'America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe'];
const AFTER = Date.parse('2026-10-20T00:00:00Z');
const COUNT = 40;

/** Two engines that know nothing of each other must agree. */
export const secondOpinionCheck: Check<SchedulerProof> = {
  id: 'patterns.second-opinion',
  title: 'An independent engine says the same of cron expressions',
  group: 'Patterns',
  async run({ engine }) {
    let compared = 0;
    for (const tzid of ZONES) {
      for (const expr of EXPRESSIONS) {
        const own = engine.compile({ kind: 'cron', expr, tzid }).take(AFTER, COUNT);
        const other = await engine.secondOpinion(expr, tzid, AFTER, COUNT);
        const at = own.findIndex((instant, index) => instant !== other[index]);
        if (at >= 0 || own.length !== other.length) {
          const shown = (instant: number | undefined) =>
            instant === undefined ? 'nothing' : new Date(instant).toISOString();
          throw new CheckFailure(
            `"${expr}" in ${tzid}: pao says ${shown(own[at])}, croner says ${shown(other[at])}.`,
            `pao validate scheduler "${expr}" --timezone ${tzid} --count 20`,
            { expr, timezone: tzid, own: own.slice(0, 10).map(shown), other: other.slice(0, 10).map(shown) },
          );
        }
        compared += own.length;
      }
    }
    return { instants: compared, expressions: EXPRESSIONS.length, zones: ZONES.length };
  },
};
