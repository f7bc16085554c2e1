import { setTimeout as pause } from 'node:timers/promises';
import {
  databaseBytes,
  drain,
  type Memory,
  ONE_STEP,
  startSystem,
  type SystemToMeasure,
} from './running-system.js';

/** How much is measured. */
export interface SystemSizes {
  /** Runs of a full queue. */
  runs: number;
  /** Runs that are started by hand on an idle system, one after the other. */
  rounds: number;
  /** How long it is watched while it has nothing to do. */
  idleSeconds: number;
}

/** Milliseconds. */
export interface Quantiles {
  p50: number;
  p95: number;
  p99: number;
  n: number;
}

/** The whole local system, as `pao start local` runs it. */
export interface SystemMeasure {
  ready_ms: number;
  /** From the moment a run is asked for to its start, on an idle system. */
  start_latency_ms: Quantiles;
  idle: { cpu_percent: number | null } & Partial<Memory>;
  drain: { runs: number; seconds: number; runs_per_second: number; cpu_us_per_run: number | null };
  /** What a task costs to create meanwhile. */
  create_task_while_draining_ms: Quantiles;
  database_bytes_per_run: number;
  after_work: Memory | null;
}

/** Starts a system, measures it and leaves nothing of it behind. @param say what is being measured now. */
export async function measureSystem(
  options: SystemToMeasure & SystemSizes & { say?: (what: string) => void },
): Promise<SystemMeasure> {
  const { runs, rounds, idleSeconds, signal, say = () => {} } = options;
  say('Starting a system of its own');
  const system = await startSystem(options);
  try {
    say(`Start of ${rounds} runs on the idle system`);
    const latencies = await startLatencies(system, rounds);
    say(`Doing nothing for ${idleSeconds} s`);
    await pause(2000, undefined, { signal });
    const cpu = system.cpuMs();
    await pause(idleSeconds * 1000, undefined, { signal });
    const idleCpu = perSecond(cpu, system.cpuMs(), idleSeconds);
    const idle = system.memory() ?? {};
    say(`A queue of ${runs} runs`);
    const bytes = databaseBytes(system.home);
    const cpuBefore = system.cpuMs();
    const creating = createTasks(system, signal);
    const seconds = await drain(system, runs, signal).catch(async (error: unknown) => {
      await creating.end().catch(() => {});
      throw error;
    });
    // Of all processes, with what the client asked for meanwhile: it hardly depends on how busy the machine is.
    const cpuPerRun = perSecond(cpuBefore, system.cpuMs(), runs);
    return {
      ready_ms: Math.round(system.readyMs),
      start_latency_ms: quantiles(latencies),
      idle: { cpu_percent: idleCpu === null ? null : round(idleCpu / 10), ...idle },
      drain: {
        runs,
        seconds: round(seconds),
        runs_per_second: Math.round(runs / seconds),
        cpu_us_per_run: cpuPerRun === null ? null : Math.round(cpuPerRun * 1000),
      },
      create_task_while_draining_ms: quantiles(await creating.end()),
      database_bytes_per_run: Math.round((databaseBytes(system.home) - bytes) / runs),
      after_work: system.memory(),
    };
  } finally {
    await system.stop();
  }
}

type System = Awaited<ReturnType<typeof startSystem>>;

async function startLatencies(system: System, rounds: number): Promise<number[]> {
  await system.call('POST', '/v1/tasks', { name: 'idle', pipeline: ONE_STEP });
  const latencies: number[] = [];
  for (let index = 0; index < rounds; index++) {
    const { id } = await system.call<{ id: string }>('POST', '/v1/tasks/idle/run', {});
    const run = await system.call<{ created_at: string; started_at: string }>(
      'GET',
      `/v1/runs/${id}?wait=10s`,
    );
    latencies.push(Date.parse(run.started_at) - Date.parse(run.created_at));
  }
  return latencies;
}

/** Creates one task after the other. @returns how to end that, and how long each took. */
function createTasks(system: System, signal: AbortSignal): { end: () => Promise<number[]> } {
  const asked = { toEnd: false };
  const took: number[] = [];
  const client = (async () => {
    for (let index = 0; !asked.toEnd; index++) {
      const began = performance.now();
      await system.call('POST', '/v1/tasks', { name: `while-draining-${index}`, pipeline: ONE_STEP });
      took.push(performance.now() - began);
      await pause(10, undefined, { signal });
    }
  })();
  // Its failure is told by who asks for the end.
  client.catch(() => {});
  return {
    async end() {
      asked.toEnd = true;
      await client;
      return took;
    },
  };
}

const perSecond = (before: number | null, after: number | null, seconds: number): number | null =>
  before === null || after === null ? null : (after - before) / seconds;

function quantiles(values: number[]): Quantiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), n: sorted.length };
}

const round = (value: number): number => Math.round(value * 100) / 100;
