import { fileURLToPath } from 'node:url';
import { measureSystem } from '../src/checks/bench/measure-system.js';
import { machine } from '../src/checks/bench/running-system.js';

/*
 * The whole local system, as `pao start local` runs it: ready, start latency of a run on an idle system, drain of a full
 * queue with what a task costs to create meanwhile, bytes written, memory, CPU while idle. Prints one JSON document.
 */

const before = machine();
const measured = await measureSystem({
  packageRoot: fileURLToPath(new URL('..', import.meta.url)),
  signal: new AbortController().signal,
  runs: Number(process.env['PAO_BENCH_RUNS'] ?? 20_000),
  rounds: Number(process.env['PAO_BENCH_ROUNDS'] ?? 200),
  idleSeconds: Number(process.env['PAO_BENCH_IDLE_SECONDS'] ?? 20),
});
console.log(
  JSON.stringify(
    { bench: 'system', node: process.version, machine: { before, after: machine() }, ...measured },
    null,
    2,
  ),
);
