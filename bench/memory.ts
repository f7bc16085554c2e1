import { fileURLToPath } from 'node:url';
import { drain, machine, startSystem } from '../src/checks/bench/running-system.js';

/*
 * Memory of the whole local system (5 processes), idle and after work, and its CPU time while idle. In pairs A B A B:
 * with V8's own bounds of the young generation and with ours. `pss` is what the system takes from the machine.
 */

const ROUNDS = Number(process.env['PAO_BENCH_ROUNDS'] ?? 2);
const RUNS = Number(process.env['PAO_BENCH_RUNS'] ?? 10_000);
const IDLE_SECONDS = Number(process.env['PAO_BENCH_IDLE_SECONDS'] ?? 20);

const packageRoot = fileURLToPath(new URL('..', import.meta.url));
const { signal } = new AbortController();
const results = [];
for (let round = 0; round < ROUNDS; round++) {
  for (const [name, env] of Object.entries({ before: { PAO_HEAP_FLAGS: 'none' }, after: {} })) {
    const system = await startSystem({ packageRoot, signal, env });
    try {
      await new Promise((resolve) => setTimeout(resolve, 2000));
      const cpu = system.cpuMs();
      await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
      const idleCpu = (Number(system.cpuMs()) - Number(cpu)) / IDLE_SECONDS / 10;
      const idle = system.memory();
      const seconds = await drain(system, RUNS, signal);
      results.push({
        variant: name,
        ready_ms: Math.round(system.readyMs),
        idle,
        idle_cpu_percent: Math.round(idleCpu * 100) / 100,
        after_work: system.memory(),
        runs_per_second: Math.round(RUNS / seconds),
        machine: machine(),
      });
    } finally {
      await system.stop();
    }
  }
}
console.log(JSON.stringify({ bench: 'memory', runs: RUNS, idle_seconds: IDLE_SECONDS, results }, null, 2));
