import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { EphemeralSystem } from '../ephemeral-system.js';

/** Memory of all processes, MiB: `pss` shares what is shared among them, `rss` counts it for each. */
export interface Memory {
  pss_mb: number;
  rss_mb: number;
  processes: number;
}

/** A system of the built CLI that a measurement started, in a data directory of its own. */
export interface RunningSystem {
  home: string;
  url: string;
  token: string;
  readyMs: number;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** The value of a counter, summed over the labels that the pattern allows. */
  counter(pattern: RegExp): Promise<number>;
  /** null where there is no /proc. */
  memory(): Memory | null;
  /** CPU time of all processes so far, milliseconds; null where there is no /proc. */
  cpuMs(): number | null;
  /** Ends it and removes its files. */
  stop(): Promise<void>;
}

export interface SystemToMeasure {
  packageRoot: string;
  signal: AbortSignal;
  /** Further environment of it. */
  env?: Readonly<Record<string, string>>;
}

/**
 * Starts a local system with two workers, as `pao start local` does.
 * @throws PaoError PAO_CHECK_START; the reason of the signal.
 */
export async function startSystem({
  packageRoot,
  signal,
  env = {},
}: SystemToMeasure): Promise<RunningSystem> {
  const began = performance.now();
  const system = await EphemeralSystem.start({ packageRoot, signal, env, workers: 2 });
  const readyMs = performance.now() - began;
  const { url, token, home, pid } = system;
  const headers = { authorization: `Bearer ${token}` };
  const processes = () => [pid, ...system.descendants()];
  return {
    home,
    url,
    token,
    readyMs,
    async call(method, path, body) {
      const response = await fetch(url + path, {
        method,
        signal,
        headers: { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json() as never;
    },
    async counter(pattern) {
      const text = await (await fetch(`${url}/metrics`, { headers, signal })).text();
      return text
        .split('\n')
        .filter((line) => pattern.test(line))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    memory: () => onLinux(() => memoryOf(processes())),
    cpuMs: () => onLinux(() => processes().reduce((sum, id) => sum + cpuOf(id), 0)),
    stop: () => system.dispose(),
  };
}

/**
 * Makes so many runs through one event that 200 tasks listen to, and waits for their end.
 * @returns seconds it took.
 */
export async function drain(system: RunningSystem, runs: number, signal: AbortSignal): Promise<number> {
  const listeners = 200;
  const topic = `bench-${Math.random().toString(36).slice(2)}`;
  for (let index = 0; index < listeners; index++) {
    await system.call('POST', '/v1/tasks', {
      name: `${topic}-${index}`,
      schedule: { kind: 'event', topic },
      pipeline: ONE_STEP,
    });
  }
  const done = /^orchestrator_runs_total\{.*outcome="succeeded"/;
  const before = await system.counter(done);
  const began = performance.now();
  for (let index = 0; index < runs / listeners; index++)
    await system.call('POST', '/v1/events', { topic, payload: { index } });
  while ((await system.counter(done)) < before + runs) {
    if (performance.now() - began > 300_000) throw new Error(`${runs} runs did not end within 5 minutes`);
    await pause(50, undefined, { signal });
  }
  return (performance.now() - began) / 1000;
}

/** A pipeline of one step that does nothing but answer. */
export const ONE_STEP = [{ id: 'one', uses: 'debug.echo', with: { text: '${task.name}' } }];

/** How busy the machine is with other things: figures of a busy one are worth only their ratios. */
export function machine(): { cpus: number; load: number; busy: boolean } {
  const load = loadavg()[0] as number;
  const cpus = availableParallelism();
  // Some of the load of a minute ago may be a measurement's own.
  return { cpus, load: Math.round(load * 100) / 100, busy: load > cpus / 2 };
}

/** Bytes of the files of a database. */
export const databaseBytes = (home: string): number =>
  readdirSync(home)
    .filter((file) => file.startsWith('orchestrator.db') && !file.endsWith('-reserve'))
    .reduce((sum, file) => sum + statSync(join(home, file)).size, 0);

/** What a process reads of others; null where there is no /proc, or one of them has just ended. */
function onLinux<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function memoryOf(processes: readonly number[]): Memory {
  const sum = (name: string) =>
    processes.reduce((total, id) => {
      const text = readFileSync(`/proc/${id}/smaps_rollup`, 'utf8');
      return total + Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    }, 0);
  return {
    pss_mb: Math.round(sum('Pss') / 1024),
    rss_mb: Math.round(sum('Rss') / 1024),
    processes: processes.length,
  };
}

function cpuOf(id: number): number {
  const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime in clock ticks of 10 ms (proc(5), fields 14 and 15).
  return 10 * (Number(fields[11]) + Number(fields[12]));
}
