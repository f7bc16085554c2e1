import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { FromChild, ServiceInit, ToChild } from './service-messages.js';

export type ChildState = 'starting' | 'ready' | 'restarting' | 'stopping' | 'stopped';

export interface ChildServiceOptions {
  /** The built entry point of services. */
  entry: string;
  env: NodeJS.ProcessEnv;
  /** Told anew for each start. */
  init: () => ServiceInit;
  onLine: (line: string) => void;
  onSpawn: (child: ChildProcess) => void;
  onReady: (url: string | undefined, restarts: number) => void;
  /** The process is gone; `workerId` is the one its leases are held by. */
  onExit: (exit: { workerId: string; code: number | null; signal: string | null; expected: boolean }) => void;
  /** Wait before the next start after a crash, milliseconds, by the number of crashes in a row. */
  backoffMs?: (crashes: number) => number;
}

/**
 * V8 lets the space for new objects grow to 3 × 16 MiB in each process and gives none of it back: a quarter of that saves
 * memory. What it costs in throughput is not known; `bench/memory.ts` compares both. `PAO_HEAP_FLAGS=none` leaves it to V8.
 */
const HEAP_FLAGS = ['--max-semi-space-size=4'];

/** A crash after this long of good running starts the backoff anew, milliseconds. */
const STABLE_AFTER_MS = 10_000;

/** One child process: started, watched, started again when it dies, drained when asked to. */
export class ChildService {
  state: ChildState = 'starting';
  restarts = 0;
  #child: ChildProcess | null = null;
  #init: ServiceInit | null = null;
  #crashes = 0;
  #readyAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #failure: PaoError | null = null;
  #isEndExpected = false;
  #summary: Record<string, number> = {};
  #url: string | undefined;

  constructor(private readonly options: ChildServiceOptions) {}

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it said it did, when it stopped. */
  get summary(): Record<string, number> {
    return this.#summary;
  }

  /** Forks the process; it loads its code while the supervisor prepares the store, and waits for {@link begin}. */
  spawn(): void {
    // NODE_EXTRA_CA_CERTS costs 40 ms at every start of Node 20; only workers talk TLS to the outside.
    // The slot is for people who look at the process list.
    const child = fork(this.options.entry, [this.options.init().slot], {
      env: this.options.env,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      execArgv:
        this.options.env['PAO_HEAP_FLAGS'] === 'none'
          ? process.execArgv
          : [...process.execArgv, ...HEAP_FLAGS],
    });
    this.#child = child;
    this.#failure = null;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', this.options.onLine);
    }
    child.on('message', (message: FromChild) => this.#hear(message));
    child.once('error', () => {});
    child.once('exit', (code, signal) => this.#gone(child, code, signal));
    this.options.onSpawn(child);
  }

  /** Tells the process what to be, and waits until it is ready. @returns its URL, when it has one. */
  async begin(): Promise<string | undefined> {
    this.#tellInit();
    for (;;) {
      if (this.state === 'ready') return this.#url;
      if (this.#failure !== null) throw this.#failure;
      if (this.state === 'stopped' || this.#child === null) {
        throw new PaoError('PAO_SERVICE_DIED', `${this.options.init().slot} died while starting.`, {
          exitCode: EXIT.failed,
          hints: ['pao logs --level error'],
        });
      }
      const child = this.#child;
      await Promise.race([once(child, 'message'), once(child, 'exit')]);
      // The handlers of the message run before this continues.
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** From now on its end is no crash: a signal to the whole process group reaches it before it is asked to stop. */
  expectEnd(): void {
    this.#isEndExpected = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** Asks it to drain. @returns when the process is gone. */
  async stop(graceMs: number): Promise<void> {
    this.state = 'stopping';
    if (this.#timer !== null) clearTimeout(this.#timer);
    const child = this.#child;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    if (child.connected) child.send({ type: 'stop', graceMs } satisfies ToChild, () => {});
    else child.kill('SIGTERM');
    const watchdog = setTimeout(() => child.kill('SIGKILL'), graceMs + 3000);
    await gone;
    clearTimeout(watchdog);
    this.state = 'stopped';
  }

  /** Ends it now. */
  kill(): void {
    this.state = 'stopping';
    this.#child?.kill('SIGKILL');
  }

  #tellInit(): void {
    this.#init = this.options.init();
    this.#child?.send({ type: 'init', init: this.#init } satisfies ToChild, () => {});
  }

  #hear(message: FromChild): void {
    if (message.type === 'ready') {
      this.state = 'ready';
      this.#readyAt = performance.now();
      this.#url = message.url;
      this.options.onReady(message.url, this.restarts);
    } else if (message.type === 'failed') {
      const { code, message: text, ...rest } = message.error;
      this.#failure = new PaoError(code, text, rest);
    } else if (message.type === 'stopped') {
      this.#summary = message.summary;
    }
  }

  #gone(child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#child !== child) return;
    const wasReady = this.state === 'ready';
    const expected = this.#isEndExpected || this.state === 'stopping';
    this.options.onExit({ workerId: this.#init?.workerId ?? '', code, signal, expected });
    if (expected) {
      this.state = 'stopped';
      return;
    }
    // Before it was ever ready, the start as a whole fails and says why; afterwards it is brought back.
    if (!wasReady && this.restarts === 0 && this.state === 'starting') {
      this.state = 'stopped';
      return;
    }
    if (wasReady && performance.now() - this.#readyAt > STABLE_AFTER_MS) this.#crashes = 0;
    this.#crashes += 1;
    this.restarts += 1;
    this.state = 'restarting';
    const wait = this.options.backoffMs?.(this.#crashes) ?? Math.min(30_000, 50 * 2 ** (this.#crashes - 1));
    this.#timer = setTimeout(() => {
      if (this.state !== 'restarting') return;
      this.spawn();
      this.#tellInit();
    }, wait);
  }
}
