/**
 * Speed of the recurrence engine: next occurrence after a random instant of 2025, America/New_York, rule kept.
 * Run with `npx tsx bench/recurrence.ts`; prints one JSON document.
 */
import { measureRecurrence } from '../src/checks/bench/measure-recurrence.js';

const TARGET = 50_000;
const results = await measureRecurrence(400, new AbortController().signal);
const slowest = Math.min(...Object.values(results).map(({ next_per_second: rate }) => rate));
process.stdout.write(
  `${JSON.stringify({ benchmark: 'recurrence', node: process.version, target_per_second: TARGET, slowest_per_second: slowest, passed: slowest >= TARGET, results }, null, 2)}\n`,
);
