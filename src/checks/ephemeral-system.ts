import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { readCredentials } from '../cli/home.js';
import { PaoClient } from '../client/pao-client.js';
import { EXIT, PaoError } from '../domain/errors.js';
import { descendantsOf, isThere, markOf, type ProcessMark, signalProcess } from './process-tree.js';

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 40_000;
const KEPT_OUTPUT = 200_000;

/** How the system that a suite starts for itself is to be. */
export interface EphemeralSystemOptions {
  packageRoot: string;
  signal: AbortSignal;
  /** Which `pao start`: `local` when left out. */
  kind?: 'local' | 'system';
  /** Worker processes; 1 when left out. */
  workers?: number;
  /** Instant its clock starts at (RFC 3339): it then takes {@link EphemeralSystem.advance}. Real time when left out. */
  clock?: string;
  /** Further environment of it. */
  env?: Readonly<Record<string, string>>;
  /** Settings, as in `pao.config.yaml`. */
  config?: Readonly<Record<string, unknown>>;
  /** Further arguments of `pao start local`. */
  args?: readonly string[];
  /** Values of secrets, by name (`secrets.json`). */
  secrets?: Readonly<Record<string, string>>;
}

/** What `pao start local --json` prints when it is ready; as far as it is used here. */
interface Started {
  pid: number;
  pids: Record<string, number>;
  url: string;
  home: string;
  log_file: string;
}

/**
 * A real local system: the built command line as a child process on a free port, with data in a temporary directory.
 * {@link dispose} leaves nothing of it behind, and so does the end of this process, whatever ends it.
 */
export class EphemeralSystem {
  /** The temporary directory: data below `data/`, room for files of a check beside it. */
  readonly directory: string;
  readonly home: string;
  /** Where it puts its temporary files. */
  readonly temporary: string;
  #child: ChildProcess | null = null;
  #started: Started | null = null;
  #client: PaoClient | null = null;
  #token = '';
  #output = '';
  #marks: ProcessMark[] = [];
  readonly #atExit = () => this.#removeNow();

  private constructor(private readonly options: EphemeralSystemOptions) {
    this.directory = mkdtempSync(join(tmpdir(), 'pao-check-'));
    this.home = join(this.directory, 'data');
    this.temporary = join(this.directory, 'tmp');
    process.once('exit', this.#atExit);
  }

  /**
   * Starts a system and waits until it is ready.
   * @throws PaoError PAO_CHECK_START (exit 3) with the last lines it wrote; the reason of the signal.
   */
  static async start(options: EphemeralSystemOptions): Promise<EphemeralSystem> {
    const system = new EphemeralSystem(options);
    try {
      mkdirSync(system.home, { mode: 0o700 });
      mkdirSync(system.temporary, { mode: 0o700 });
      if (options.config) writeFileSync(join(system.directory, 'pao.config.yaml'), stringify(options.config));
      if (options.secrets) system.writeSecrets(options.secrets);
      await system.startAgain();
      return system;
    } catch (error) {
      await system.dispose();
      throw error;
    }
  }

  /** The API, as its administrator. */
  get client(): PaoClient {
    return this.#client as PaoClient;
  }

  get url(): string {
    return this.#running.url;
  }

  /** The administrator's token. */
  get token(): string {
    return this.#token;
  }

  /** Process id of the supervisor. */
  get pid(): number {
    return this.#running.pid;
  }

  /** Process ids at the start by place: `api`, `scheduler`, `w1`, … */
  get pids(): Readonly<Record<string, number>> {
    return this.#running.pids;
  }

  get logFile(): string {
    return this.#running.log_file;
  }

  /** What it wrote to the terminal, the last of it. */
  get output(): string {
    return this.#output;
  }

  /** A client of the same server with another token, or with none. */
  clientWith(token: string | null): PaoClient {
    return new PaoClient({ url: this.url, token, userAgent: 'pao-check' });
  }

  /** Ids of all processes that descend from the supervisor now. */
  descendants(): number[] {
    return this.#child?.exitCode === null ? descendantsOf(this.pid) : [];
  }

  /** Puts secrets where the system reads them. */
  writeSecrets(secrets: Readonly<Record<string, string>>): void {
    writeFileSync(join(this.home, 'secrets.json'), JSON.stringify(secrets), { mode: 0o600 });
  }

  /** Jumps its clock ahead; it must have been started with one. */
  async advance(ms: number): Promise<void> {
    await this.client.request({ method: 'POST', path: '/v1/clock/advance', body: { ms } });
  }

  /** Starts it on the same data and the same port, after {@link stop} or {@link kill}. */
  async startAgain(): Promise<void> {
    const { options } = this;
    options.signal.throwIfAborted();
    const bin = join(options.packageRoot, 'bin', 'run.cjs');
    const port = this.#started === null ? '0' : new URL(this.#started.url).port;
    const args = [
      'start',
      options.kind ?? 'local',
      '--json',
      '--port',
      port,
      '--workers',
      String(options.workers ?? 1),
    ];
    const child = spawn(process.execPath, [bin, ...args, ...(options.args ?? [])], {
      cwd: this.directory,
      env: this.#environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal goes to the whole group: it is ours to end this one in order.
      detached: true,
    });
    this.#child = child;
    this.#output = '';
    this.#started = await this.#firstDocument(child);
    this.#remember();
    const credentials = readCredentials(this.home);
    if (credentials === null) throw this.#startError('It left no credentials.');
    this.#token = credentials.token;
    this.#client = this.clientWith(credentials.token);
  }

  /**
   * Stops it as Ctrl-C does and waits until all its processes are gone.
   * @returns how long that took, the exit code, and the ids of processes that outlived it.
   */
  async stop(
    timeoutMs = STOP_TIMEOUT_MS,
  ): Promise<{ code: number | null; duration_ms: number; orphans: number[] }> {
    const began = performance.now();
    this.#remember();
    const child = this.#child;
    if (child && isRunning(child)) child.kill('SIGTERM');
    await waitFor(() => !child || !isRunning(child), timeoutMs);
    await waitFor(() => !this.#marks.some(isThere), 2000);
    return {
      code: child?.exitCode ?? null,
      duration_ms: Math.round(performance.now() - began),
      orphans: this.#marks.filter(isThere).map(({ pid }) => pid),
    };
  }

  /** Kills the supervisor (SIGKILL) and waits until all its processes are gone, which they see to themselves. */
  async kill(): Promise<void> {
    this.#remember();
    const child = this.#child;
    child?.kill('SIGKILL');
    await waitFor(() => !this.#marks.some(isThere), 10_000);
    for (const mark of this.#marks.filter(isThere)) signalProcess(mark.pid, 'SIGKILL');
  }

  /** Stops what runs and removes all its files. */
  async dispose(): Promise<void> {
    try {
      const child = this.#child;
      if (child && isRunning(child)) await this.stop(15_000);
    } finally {
      process.removeListener('exit', this.#atExit);
      this.#removeNow();
    }
  }

  get #running(): Started {
    if (this.#started === null) throw new Error('The system of the checks has not been started.');
    return this.#started;
  }

  #removeNow(): void {
    if (this.#child && isRunning(this.#child)) {
      this.#remember();
      this.#child.kill('SIGKILL');
    }
    for (const mark of this.#marks.filter(isThere)) signalProcess(mark.pid, 'SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  /** Its processes of now, so that their end can be seen later. */
  #remember(): void {
    const pid = this.#child?.pid;
    if (pid === undefined) return;
    const known = [pid, ...Object.values(this.#started?.pids ?? {}), ...descendantsOf(pid)];
    const marks = [...this.#marks, ...known.map(markOf)].filter(isThere);
    this.#marks = [...new Map(marks.map((mark) => [`${mark.pid}.${mark.start}`, mark])).values()];
  }

  /** A person's own settings must not reach the system under test. */
  #environment(): NodeJS.ProcessEnv {
    const foreign =
      /^(PAO_|DATABASE_URL$|REDIS_URL$|VITEST|NODE_OPTIONS$|NODE_EXTRA_CA_CERTS$|CI$|GITHUB_|OTEL_)/;
    const own = Object.entries(process.env).filter(([name]) => !foreign.test(name));
    return {
      ...Object.fromEntries(own),
      PAO_HOME: this.home,
      TMPDIR: this.temporary,
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      ...(this.options.clock === undefined ? {} : { PAO_TEST_CLOCK: this.options.clock }),
      ...this.options.env,
    };
  }

  /** The first line on its stdout: the document that says it is ready. */
  async #firstDocument(child: ChildProcess): Promise<Started> {
    const { signal } = this.options;
    const take = (text: string) => {
      this.#output = `${this.#output}${text}`.slice(-KEPT_OUTPUT);
    };
    child.stderr?.setEncoding('utf8').on('data', take);
    let timer: NodeJS.Timeout | undefined;
    let stop = () => {};
    try {
      return await new Promise<Started>((resolve, reject) => {
        let line = '';
        child.stdout?.setEncoding('utf8').on('data', (text: string) => {
          take(text);
          line += text;
          const end = line.indexOf('\n');
          if (end === -1) return;
          try {
            const document = JSON.parse(line.slice(0, end)) as Started & { status?: string };
            if (document.status === 'started') resolve(document);
          } catch {
            // Its exit code and what it wrote say more.
          }
        });
        stop = () => reject(signal.reason);
        signal.addEventListener('abort', stop, { once: true });
        child.once('error', reject);
        child.once('close', (code) => reject(this.#startError(`It ended with exit code ${code}.`)));
        timer = setTimeout(() => reject(this.#startError('It was not ready in time.')), START_TIMEOUT_MS);
      });
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
    }
  }

  #startError(what: string): PaoError {
    const lines = this.#output.trim().split('\n').slice(-8).join('\n');
    return new PaoError(
      'PAO_CHECK_START',
      `The system to be checked could not be started. ${what}\n${lines}`,
      {
        exitCode: EXIT.unavailable,
        hints: ['pao start local', 'pao doctor'],
      },
    );
  }

  /** The log of all its processes so far; empty when there is none. */
  readLog(): string {
    return this.#started && existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8') : '';
  }
}

const isRunning = (child: ChildProcess) => child.exitCode === null && child.signalCode === null;

async function waitFor(isTrue: () => boolean, timeoutMs: number): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!isTrue() && performance.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
}
