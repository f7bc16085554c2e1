import { BaseCommand, LOCAL_FLAGS } from '../cli/base-command.js';
import { durationFlag, Flags } from '../cli/flags.js';
import type { InstalledService } from '../cli/service/manager.js';
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
    timeout: durationFlag({ summary: 'How long to wait', default: 30_000, defaultHelp: async () => '30s' }),
    force: Flags.boolean({ summary: 'End it at once, without letting work finish' }),
  };

  async run(): Promise<unknown> {
    const home = this.dataDirectory();
    const [{ readRunFile, removeRunFile }, { stopRunning }] = await Promise.all([
      import('../server/supervisor/run-file.js'),
      import('../cli/stop-running.js'),
    ]);
    const running = readRunFile(home);
    if (running === null) {
      this.out.note(`Nothing runs on ${home}.`);
      return { stopped: false, home };
    }
    const began = performance.now();
    const { force = false, timeout: timeoutMs } = this.flags;
    const service = await this.#service(home, force);
    await stopRunning(running, { force, timeoutMs, signal: this.signal });
    if (force) {
      removeRunFile(home);
      await this.#waitUntilSilent(running);
    }
    const { formatDuration } = await import('../domain/duration.js');
    const tookMs = Math.round(performance.now() - began);
    this.out.success(`Stopped pao (process ${running.pid}) in ${formatDuration(tookMs)}`);
    if (service !== null) {
      this.out.note(`${service.file} starts it again at the next login.`);
      this.out.hint('pao service uninstall   if it is not to');
    }
    return { stopped: true, forced: force, pid: running.pid, home, duration_ms: tookMs };
  }

  /** What starts pao here at login; it would bring back at once what is killed, and is told not to. */
  async #service(home: string, force: boolean): Promise<InstalledService | null> {
    const [{ serviceOf }, { managerHere }] = await Promise.all([
      import('../cli/service/find-service.js'),
      import('../cli/service/manager-here.js'),
    ]);
    const here = managerHere(this.process);
    const service = here === null ? null : serviceOf(here.manager, home);
    // A service that does not run, or can not be told, is none of this command's concern.
    if (force && here !== null && service !== null)
      for (const { command } of here.manager.holdBackSteps(service.name)) await here.run(command);
    return service;
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
}
