import { databaseBytes, drain, machine, startSystem } from './helpers/running-system.js';

/*
 * The whole local system, as `pao start local` runs it: ready, start latency of a run on an idle system, drain of a full
 * queue with what a task costs to create meanwhile, bytes written, memory, CPU while idle. Prints one JSON document.
 */

const RUNS = Number(process.env['PAO_BENCH_RUNS'] ?? 20_000);
const ROUNDS = Number(process.env['PAO_BENCH_ROUNDS'] ?? 200);
const IDLE_SECONDS = Number(process.env['PAO_BENCH_IDLE_SECONDS'] ?? 20);

interface Run {
  id: string;
  created_at: string;
  started_at: string;
}

const before = machine();
const system = await startSystem();
try {
  const pipeline = [{ id: 'one', uses: 'debug.echo', with: { text: '${task.name}' } }];
  await system.call('POST', '/v1/tasks', { name: 'idle', pipeline });
  const latencies: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    const { id } = await system.call<Run>('POST', '/v1/tasks/idle/run', {});
    const run = await system.call<Run>('GET', `/v1/runs/${id}?wait=10s`);
    latencies.push(Date.parse(run.started_at) - Date.parse(run.created_at));
  }
  await new Promise((resolve) => setTimeout(resolve, 2000));
  const cpu = system.cpuMs();
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const idleCpuPercent = (system.cpuMs() - cpu) / IDLE_SECONDS / 10;
  const idle = system.memory();

  const bytes = databaseBytes(system.home);
  const creating: number[] = [];
  const draining = { goesOn: true };
  const client = (async () => {
    for (let index = 0; draining.goesOn; index++) {
      const began = performance.now();
      await system.call('POST', '/v1/tasks', { name: `while-draining-${index}`, pipeline });
      creating.push(performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  const cpuBefore = system.cpuMs();
  const seconds = await drain(system, RUNS);
  // Of all processes, with what the client asked for meanwhile: it hardly depends on how busy the machine is.
  const cpuPerRun = ((system.cpuMs() - cpuBefore) * 1000) / RUNS;
  draining.goesOn = false;
  await client;
  console.log(
    JSON.stringify(
      {
        bench: 'system',
        node: process.version,
        machine: { before, after: machine() },
        ready_ms: Math.round(system.readyMs),
        start_latency_ms: quantiles(latencies),
        drain: {
          runs: RUNS,
          seconds: round(seconds),
          runs_per_second: Math.round(RUNS / seconds),
          cpu_us_per_run: Math.round(cpuPerRun),
        },
        create_task_while_draining_ms: quantiles(creating),
        database_bytes_per_run: Math.round((databaseBytes(system.home) - bytes) / RUNS),
        idle: { cpu_percent: round(idleCpuPercent), ...idle },
        after_work: system.memory(),
      },
      null,
      2,
    ),
  );
} finally {
  await system.stop();
}

function quantiles(values: number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: sorted.length };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
