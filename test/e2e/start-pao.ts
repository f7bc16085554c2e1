import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkAnswer } from '../answers.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin', 'run.cjs');
const READY_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 40_000;

export interface CommandResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface ApiResponse<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface StartPaoOptions {
  /** Instant the system's clock starts at (`PAO_TEST_CLOCK`); real time when left out. */
  clock?: string;
  /** A data directory to use again, after a crash or a stop; a new one when left out. */
  home?: string;
  /** Further environment. */
  env?: Record<string, string>;
  /** Worker processes; 1 when left out. */
  workers?: number;
  /** `start local` or `start system`; local when left out. */
  verb?: 'local' | 'system';
  /** Further arguments of `start local`. */
  args?: string[];
}

/** A running local system: built CLI, child processes, a data directory of its own. */
export interface Pao {
  home: string;
  url: string;
  token: string;
  /** Process id of the supervisor. */
  pid: number;
  /** From the start of the process to the first good answer of `/health/ready`, milliseconds. */
  readyMs: number;
  /** Runs one command of the CLI against this system. */
  cli(
    args: string[],
    options?: { cwd?: string; env?: Record<string, string>; input?: string },
  ): Promise<CommandResult>;
  /** Runs one command with `--json`; throws with its output unless it ends with 0. */
  json<T = Record<string, unknown>>(args: string[], options?: { cwd?: string }): Promise<T>;
  /** Calls the API; the admin token unless another one is given, none for null. */
  api<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    options?: { token?: string | null; headers?: Record<string, string> },
  ): Promise<ApiResponse<T>>;
  /** Jumps the test clock ahead. */
  advance(ms: number): Promise<void>;
  /** Everything the supervisor wrote so far, both streams. */
  output(): string;
  /** Ids of all processes that descend from the supervisor now. */
  descendants(): number[];
  /** Stops it with SIGTERM. @throws Error unless it ends with 0 and every process of it is gone. */
  stop(): Promise<void>;
  /** Kills the supervisor with SIGKILL and waits until it is gone. */
  killSupervisor(): Promise<void>;
  /** Kills all of its processes with SIGKILL at one instant, as a power cut does, and waits until they are gone. */
  killAll(): Promise<void>;
  /** Process ids of the workers by their slot (`w1`, …). */
  workerPids(): Map<string, number>;
  /** Removes the data directory. */
  cleanUp(): void;
}

/**
 * Starts `pao start local` on a free port in the foreground and waits until it is ready.
 * @throws Error with everything it wrote when it ends or is not ready in time.
 */
export async function startPao(options: StartPaoOptions = {}): Promise<Pao> {
  if (!existsSync(bin)) throw new Error(`${bin} is not built; run npm run build first.`);
  const home = options.home ?? mkdtempSync(join(tmpdir(), 'pao-e2e-'));
  const env = environment(home, options.env, options.clock);
  const child = spawn(
    process.execPath,
    [
      bin,
      'start',
      options.verb ?? 'local',
      '--port',
      '0',
      '--workers',
      String(options.workers ?? 1),
      ...(options.args ?? []),
    ],
    { env, cwd: home, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const began = performance.now();
  let written = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      written += text;
    });
  }
  const runFile = join(home, 'run', 'server.json');
  const { url } = await until(
    'pao to be ready',
    async () => {
      if (child.exitCode !== null)
        throw new Error(`pao start local ended with ${child.exitCode}:\n${written}`);
      const running = readJson<{ url: string; pid: number }>(runFile);
      if (running?.pid !== child.pid) return null;
      const ready = await fetch(`${running?.url}/health/ready`).catch(() => null);
      return ready?.status === 200 ? running : null;
    },
    READY_TIMEOUT_MS,
    () => written,
  );
  const readyMs = performance.now() - began;
  const { token } = readJson<{ token: string }>(join(home, 'credentials.json')) as { token: string };
  const pid = child.pid as number;

  const pao: Pao = {
    home,
    url,
    token,
    pid,
    readyMs,
    cli: (args, { cwd = home, env: more, input } = {}) => runCli(args, { ...env, ...more }, cwd, input),
    async json(args, { cwd = home } = {}) {
      const result = await runCli([...args, '--json'], env, cwd);
      if (result.code !== 0)
        throw new Error(`pao ${args.join(' ')} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
      return JSON.parse(result.stdout);
    },
    async api(method, path, body, { token: other, headers } = {}) {
      const bearer = other === undefined ? token : other;
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      const isJson = (response.headers.get('content-type') ?? '').includes('json');
      const answer = {
        status: response.status,
        headers: response.headers,
        body: isJson ? JSON.parse(text) : (text as never),
      };
      const contentType = response.headers.get('content-type');
      checkAnswer({ method, path, contentType, ...answer, body: text === '' ? null : answer.body });
      return answer;
    },
    async advance(ms) {
      const { status, body } = await pao.api('POST', '/v1/clock/advance', { ms });
      if (status >= 300) throw new Error(`The clock did not advance: ${status} ${JSON.stringify(body)}`);
    },
    output: () => written,
    descendants: () => descendantsOf(pid),
    async stop() {
      const before = [pid, ...descendantsOf(pid)].map((id) => [id, startOf(id)] as const);
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM');
        await ended(child, written);
      }
      const orphans = await until(
        'all processes to be gone',
        async () => {
          const left = before
            .filter(([id, start]) => start !== null && startOf(id) === start)
            .map(([id]) => id);
          return left.length === 0 ? [] : null;
        },
        5000,
      ).catch(() =>
        before.filter(([id, start]) => start !== null && startOf(id) === start).map(([id]) => id),
      );
      if (child.exitCode !== 0 || orphans.length > 0) {
        throw new Error(`pao ended with ${child.exitCode} and left the processes [${orphans}]:\n${written}`);
      }
    },
    async killSupervisor() {
      child.kill('SIGKILL');
      await ended(child, written);
    },
    async killAll() {
      const ids = [pid, ...descendantsOf(pid)];
      for (const id of ids) process.kill(id, 'SIGKILL');
      await ended(child, written);
      await until('all processes to be gone', () => ids.every((id) => startOf(id) === null));
    },
    workerPids() {
      const found = new Map<string, number>();
      for (const id of descendantsOf(pid)) {
        const slot = / (w\d+)$/.exec(commandOf(id))?.[1];
        if (slot !== undefined) found.set(slot, id);
      }
      return found;
    },
    cleanUp: () => rmSync(home, { recursive: true, force: true }),
  };
  return pao;
}

/** Runs the built CLI once, without a system of its own. */
export function runPao(
  args: string[],
  options: { home: string; cwd?: string; env?: Record<string, string> },
) {
  return runCli(args, environment(options.home, options.env), options.cwd ?? options.home);
}

/** Waits until something is true. @throws Error that names what was waited for. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | false> | T | null | false,
  timeoutMs = 20_000,
  details: () => string = () => '',
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== null && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs} ms for ${what}. ${details()}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** A person's own settings must not reach the system under test. */
function environment(home: string, more: Record<string, string> = {}, clock?: string): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      !/^(PAO_|DATABASE_URL$|REDIS_URL$|VITEST|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|CI$|GITHUB_)/.test(name),
  );
  return {
    ...Object.fromEntries(own),
    PAO_HOME: home,
    NO_COLOR: '1',
    ...(clock === undefined ? {} : { PAO_TEST_CLOCK: clock }),
    ...more,
  };
}

function runCli(args: string[], env: NodeJS.ProcessEnv, cwd: string, input?: string): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env,
      cwd,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    const result: CommandResult = { code: null, stdout: '', stderr: '' };
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      result.stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      result.stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...result, code }));
    child.stdin?.end(input);
  });
}

async function ended(child: ChildProcess, written: string): Promise<void> {
  await until(
    'pao to end',
    () => child.exitCode !== null || child.signalCode !== null,
    STOP_TIMEOUT_MS,
    () => written,
  );
}

function readJson<T>(path: string): T | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return null;
  }
}

/** Start time of a process in clock ticks (proc(5), field 22): with it a reused id is not taken for it; null when gone. */
function startOf(pid: number): string | null {
  const fields = statOf(pid);
  return fields === null || fields[0] === 'Z' ? null : (fields[19] ?? null);
}

function statOf(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(Number(name));
    if (fields && fields[0] !== 'Z') parents.set(Number(name), Number(fields[1]));
  }
  const found: number[] = [];
  for (let queue = [pid]; queue.length > 0; ) {
    const parent = queue.shift();
    const children = [...parents].filter(([, ppid]) => ppid === parent).map(([id]) => id);
    found.push(...children);
    queue = [...queue, ...children];
  }
  return found;
}
