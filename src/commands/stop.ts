import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { durationFlag, Flags } from '../cli/flags.js';
import { EXIT, PaoError } from '../domain/errors.js';
import type { RunFile } from '../server/supervisor/run-file.js';

const LOOK_EVERY_MS = 25;

/** Ends the system that runs on this data directory. */
export default class Stop extends BaseCommand<typeof Stop> {
  static override summary = 'Stop the orchestrator';
  static override description =
    'Lets running work finish, as Ctrl-C does, and waits until everything is gone. Nothing is lost with --force either: what ran is taken up again at the next start.';
  static override examples = [
    '<%= config.bin %> stop',
    '<%= config.bin %> stop --timeout 2m',
    '<%= config.bin %> stop --force',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override flags = {
    timeout: durationFlag({ summary: 'How long to wait', default: 30_000 }),
    force: Flags.boolean({ summary: 'End it at once, without letting work finish' }),
  };

  async run(): Promise<unknown> {
    const home = this.dataDirectory();
    const { readRunFile, removeRunFile } = await import('../server/supervisor/run-file.js');
    const running = readRunFile(home);
    if (running === null) {
      this.out.note(`Nothing runs on ${home}.`);
      return { stopped: false, home };
    }
    const began = performance.now();
    this.#signal(running, this.flags.force ? 'SIGKILL' : 'SIGTERM');
    const isGone = await this.#waitUntilGone(running, this.flags.timeout);
    if (!isGone) throw this.#tooSlow(running);
    if (this.flags.force) {
      removeRunFile(home);
      await this.#waitUntilSilent(running);
    }
    const { formatDuration } = await import('../domain/duration.js');
    const tookMs = Math.round(performance.now() - began);
    this.out.success(`Stopped pao (process ${running.pid}) in ${formatDuration(tookMs)}`);
    return { stopped: true, forced: this.flags.force ?? false, pid: running.pid, home, duration_ms: tookMs };
  }

  #signal({ pid }: RunFile, signal: 'SIGKILL' | 'SIGTERM'): void {
    try {
      process.kill(pid, signal);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ESRCH') return;
      throw new PaoError('PAO_STOP_FORBIDDEN', `Process ${pid} is not yours to stop (${code}).`, {
        exitCode: EXIT.forbidden,
        hints: [`ps -o user,pid,args -p ${pid}`],
        cause: error,
      });
    }
  }

  async #waitUntilGone(running: RunFile, timeoutMs: number): Promise<boolean> {
    const { isAlive } = await import('../server/supervisor/run-file.js');
    const { moment } = await import('../cli/running-system.js');
    const deadline = performance.now() + timeoutMs;
    while (isAlive(running)) {
      if (performance.now() > deadline) return false;
      await moment(LOOK_EVERY_MS, this.signal);
    }
    return true;
  }

  /** Its children end a moment after it; until then the next start would find the port busy. */
  async #waitUntilSilent({ url }: RunFile): Promise<void> {
    const { portProblem } = await import('../server/supervisor/port-owner.js');
    const { moment } = await import('../cli/running-system.js');
    const { hostname, port } = new URL(url);
    const deadline = performance.now() + this.flags.timeout;
    while ((await portProblem(hostname.replace(/^\[|\]$/g, ''), Number(port))) === 'EADDRINUSE') {
      if (performance.now() > deadline) return;
      await moment(LOOK_EVERY_MS, this.signal);
    }
  }

  #tooSlow({ pid }: RunFile): PaoError {
    return new PaoError('PAO_STOP_TIMEOUT', `pao (process ${pid}) still lets running work finish.`, {
      exitCode: EXIT.timeout,
      hints: ['pao stop --timeout 5m', 'pao stop --force'],
    });
  }
}
