import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A system of the built CLI that a measurement started, in a data directory of its own. */
export interface RunningSystem {
  home: string;
  url: string;
  token: string;
  pid: number;
  readyMs: number;
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** The value of a counter, summed over the labels that the pattern allows. */
  counter(pattern: RegExp): Promise<number>;
  /** Memory of all processes, MiB: `pss` shares what is shared among them, `rss` counts it for each (Linux). */
  memory(): { pss_mb: number; rss_mb: number; processes: number };
  /** CPU time of all processes so far, milliseconds. */
  cpuMs(): number;
  stop(): Promise<void>;
}

const bin = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));

export async function startSystem(more: Record<string, string> = {}): Promise<RunningSystem> {
  const home = mkdtempSync(join(tmpdir(), 'pao-bench-'));
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env;
  const began = performance.now();
  const child = spawn(process.execPath, [bin, 'start', 'local', '--port', '0', '--json'], {
    env: { ...env, PAO_HOME: home, ...more },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    child.stdout.once('data', () => resolve());
    child.once('exit', (code) => reject(new Error(`pao start local ended with ${code}`)));
  });
  const readyMs = performance.now() - began;
  const { url, token } = JSON.parse(readFileSync(join(home, 'credentials.json'), 'utf8')) as {
    url: string;
    token: string;
  };
  const pid = child.pid as number;
  const headers = { authorization: `Bearer ${token}` };
  const processes = () => [
    pid,
    ...readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number),
  ];
  const fromRollup = (name: string) =>
    processes().reduce((sum, id) => {
      const text = readFileSync(`/proc/${id}/smaps_rollup`, 'utf8');
      return sum + Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0);
    }, 0);
  return {
    home,
    url,
    token,
    pid,
    readyMs,
    async call(method, path, body) {
      const response = await fetch(url + path, {
        method,
        headers: { ...headers, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
      return response.json() as never;
    },
    async counter(pattern) {
      const text = await (await fetch(`${url}/metrics`, { headers })).text();
      return text
        .split('\n')
        .filter((line) => pattern.test(line))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
    },
    memory: () => ({
      pss_mb: Math.round(fromRollup('Pss') / 1024),
      rss_mb: Math.round(fromRollup('Rss') / 1024),
      processes: processes().length,
    }),
    cpuMs: () =>
      processes().reduce((sum, id) => {
        const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        // utime and stime in clock ticks of 10 ms (proc(5), fields 14 and 15).
        return sum + 10 * (Number(fields[11]) + Number(fields[12]));
      }, 0),
    async stop() {
      child.removeAllListeners('exit');
      const gone = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await gone;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Makes so many runs through one event that 200 tasks listen to, and waits for their end. @returns seconds it took. */
export async function drain(system: RunningSystem, runs: number): Promise<number> {
  const listeners = 200;
  const pipeline = [{ id: 'one', uses: 'debug.echo', with: { text: '${task.name}' } }];
  const topic = `bench-${Math.random().toString(36).slice(2)}`;
  for (let index = 0; index < listeners; index++) {
    await system.call('POST', '/v1/tasks', {
      name: `${topic}-${index}`,
      schedule: { kind: 'event', topic },
      pipeline,
    });
  }
  const done = /^orchestrator_runs_total\{.*outcome="succeeded"/;
  const before = await system.counter(done);
  const began = performance.now();
  for (let index = 0; index < runs / listeners; index++)
    await system.call('POST', '/v1/events', { topic, payload: { index } });
  while ((await system.counter(done)) < before + runs) {
    if (performance.now() - began > 300_000) throw new Error(`${runs} runs did not end within 5 minutes`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return (performance.now() - began) / 1000;
}

/** How busy the machine is with other things: figures of a busy one are worth only their ratios. */
export function machine(): { cpus: number; load: number; busy: boolean } {
  const load = loadavg()[0] as number;
  return {
    cpus: availableParallelism(),
    load: Math.round(load * 100) / 100,
    busy: load > availableParallelism(),
  };
}

/** Bytes of the files of a database. */
export const databaseBytes = (home: string): number =>
  readdirSync(home)
    .filter((file) => file.startsWith('orchestrator.db') && !file.endsWith('-reserve'))
    .reduce((sum, file) => sum + readFileSync(join(home, file)).length, 0);
