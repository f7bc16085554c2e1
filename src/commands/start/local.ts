import { join } from 'node:path';
import { BaseCommand, LOCAL_FLAGS } from '../../cli/base-command.js';
import { Flags } from '../../cli/flags.js';
import {
  alreadyRunningText,
  type StartedDocument,
  startScreen,
  urlsOf,
  whileDownLines,
} from '../../cli/start-screen.js';
import { visible } from '../../cli/visible.js';
import { isRedisUrl, shownRedisUrl } from '../../domain/redis-url.js';
import type { Config, ConfigInput } from '../../server/config.js';
import type { StartedSystem, Supervisor, SupervisorOptions } from '../../server/supervisor/supervisor.js';

/** Runs the whole system on this machine until it is told to stop. */
export default class StartLocal extends BaseCommand<typeof StartLocal> {
  static override summary = 'Run the orchestrator on this machine';
  static override description =
    'Starts the API, the scheduler and the workers on a database of its own, and runs until Ctrl-C. The first Ctrl-C lets running work finish, a second one stops at once.';
  static override examples = [
    '<%= config.bin %> start local',
    '<%= config.bin %> start local --detach',
    '<%= config.bin %> start local --port 8090 --workers 4',
  ];
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override readonly drains: boolean = true;
  static override flags = {
    port: Flags.integer({
      summary: 'Port of the API, 0 for any free one (PAO_PORT; 8080)',
      helpValue: 'PORT',
    }),
    host: Flags.string({ summary: 'Address to listen on (PAO_HOST; 127.0.0.1)', helpValue: 'HOST' }),
    workers: Flags.integer({ summary: 'Worker processes (PAO_WORKERS; 2)', helpValue: 'N' }),
    concurrency: Flags.integer({
      summary: 'Runs one worker does at once (PAO_WORKER_CONCURRENCY; 16)',
      helpValue: 'N',
    }),
    database: Flags.string({
      summary: 'Database (DATABASE_URL); otherwise orchestrator.db in the data directory',
      helpValue: 'URL',
    }),
    redis: Flags.string({
      summary: 'Redis for wake-ups and lifecycle events (REDIS_URL); otherwise none',
      helpValue: 'URL',
    }),
    'log-level': Flags.string({ summary: 'What is logged (PAO_LOG_LEVEL; info)', helpValue: 'LEVEL' }),
    detach: Flags.boolean({ summary: 'Start it in the background and come back when it is ready' }),
  };

  async run(): Promise<unknown> {
    return this.startLocal();
  }

  /** The whole command; `pao start --local` runs it as well. */
  protected async startLocal(): Promise<unknown> {
    const home = this.dataDirectory();
    const { readRunFile } = await import('../../server/supervisor/run-file.js');
    if (readRunFile(home) !== null) return this.#tellRunning(home);
    const { loadConfig } = await import('../../server/config.js');
    const settings = this.#settings();
    const { config, file } = await loadConfig({
      flags: settings,
      env: this.process.env,
      cwd: this.process.cwd,
    });
    if (this.flags.detach) return this.#detach(home, settings);
    const { reportToParent } = await import('../../cli/start-detached.js');
    const report = reportToParent(this.process.env);
    try {
      return await this.#runHere(home, { config, configFile: file }, report.ready);
    } catch (error) {
      if ((error as { code?: unknown }).code === 'PAO_ALREADY_RUNNING') return this.#tellRunning(home, error);
      await report.failed(error);
      throw error;
    }
  }

  /** `pao start system` looks for what it was configured with; here it is taken as it is. */
  protected reach(): NonNullable<SupervisorOptions['reach']> | null {
    return null;
  }

  /** What `--detach` runs in the background. */
  protected readonly verb: readonly string[] = ['start', 'local'];

  async #runHere(
    home: string,
    configured: { config: Config; configFile: string | null },
    onReady: (document: StartedDocument) => Promise<void>,
  ): Promise<void> {
    const [{ Supervisor }, { showStages }] = await Promise.all([
      import('../../server/supervisor/supervisor.js'),
      import('../../cli/start-stages.js'),
    ]);
    const { formatLogLine, readLogLine } = await import('../../cli/log-line.js');
    const { testClockStart } = await import('../../cli/test-clock.js');
    const { config } = configured;
    const supervisor = new Supervisor({
      home,
      ...configured,
      version: this.config.version,
      serviceEntry: join(this.packageRoot, 'dist', 'service.cjs'),
      env: this.process.env,
      testClockStart: testClockStart(this.process.env),
      reach: this.reach(),
      onLog: (line) => this.out.note(formatLogLine(readLogLine(line), this.out.paintNote)),
    });
    // The second signal ends the process at once; nothing of it may stay behind.
    const endChildren = () => {
      supervisor.kill();
      this.out.note('Stopped at once; what ran is taken up again at the next start.');
    };
    process.once('exit', endChildren);
    const abandon = () => supervisor.kill();
    this.signal.addEventListener('abort', abandon, { once: true });
    const titles = {
      home: `data directory ${visible(home)}`,
      store: 'store',
      bus: `bus ${isRedisUrl(config.redis_url) ? shownRedisUrl(config.redis_url) : 'memory://'}`,
      api: 'API',
      scheduler: 'scheduler',
      workers: `${config.workers} ${config.workers === 1 ? 'worker' : 'workers'}, ${config.worker_concurrency} runs each at once`,
    };
    let system: StartedSystem;
    try {
      system = await showStages(titles, (stage) => supervisor.start(stage), {
        out: this.out,
        env: this.process.env,
        signal: this.signal,
      });
    } catch (error) {
      process.removeListener('exit', endChildren);
      this.signal.throwIfAborted();
      throw error;
    } finally {
      this.signal.removeEventListener('abort', abandon);
    }
    const document = this.#documentOf(system, home, config);
    this.#show(document);
    await onReady(document);
    await this.#untilSignal();
    await this.#drain(supervisor);
    process.removeListener('exit', endChildren);
  }

  async #untilSignal(): Promise<void> {
    if (this.signal.aborted) return;
    await new Promise<void>((resolve) =>
      this.signal.addEventListener('abort', () => resolve(), { once: true }),
    );
  }

  async #drain(supervisor: Supervisor): Promise<void> {
    const { formatDuration } = await import('../../domain/duration.js');
    this.out.note('Stopping: running work may finish; press Ctrl-C again to stop at once.');
    const began = performance.now();
    const { finished = 0, handed_back: handedBack = 0 } = await supervisor.stop();
    const back = handedBack === 0 ? '' : `, ${handedBack} left for the next start`;
    const took = formatDuration(performance.now() - began);
    this.out.note(
      `Stopped in ${took}: ${finished} ${finished === 1 ? 'run' : 'runs'} finished while stopping${back}.`,
    );
  }

  async #detach(home: string, settings: Partial<ConfigInput>): Promise<void> {
    const { startDetached } = await import('../../cli/start-detached.js');
    const document = await startDetached({
      bin: join(this.packageRoot, 'bin', 'run.cjs'),
      home,
      settings,
      verb: this.verb,
      process: this.process,
    });
    if (document === null) return this.#tellRunning(home);
    this.#show(document);
    if (await this.#isForgottenAtReboot(home))
      this.out.hint('pao service install   brings it back after a reboot');
  }

  /** On a person's own machine: nothing starts pao by itself yet. */
  async #isForgottenAtReboot(home: string): Promise<boolean> {
    const [{ whyNoService }, { managerHere }, { serviceOf }] = await Promise.all([
      import('../../cli/service/why-no-service.js'),
      import('../../cli/service/manager-here.js'),
      import('../../cli/service/find-service.js'),
    ]);
    if (whyNoService({ env: this.process.env, home }) !== null) return false;
    const here = managerHere(this.process);
    return here !== null && serviceOf(here.manager, home) === null;
  }

  #show(document: StartedDocument): void {
    if (!this.jsonEnabled() && this.out.isInteractive) this.out.note();
    this.stream(document, () => startScreen(document, this.out, Boolean(this.process.env['PAO_HOME'])));
    for (const { message, hint } of document.fallbacks) {
      this.out.warn(visible(message));
      this.out.hint(visible(hint));
    }
    const { notes, hints } = whileDownLines(document);
    for (const note of notes) this.out.note(visible(note));
    for (const hint of hints) this.out.hint(visible(hint));
  }

  /** @param error what to throw when the system that is there is no farther than we are. */
  async #tellRunning(home: string, error?: unknown): Promise<void> {
    const { waitForRunFile } = await import('../../cli/running-system.js');
    const running = await waitForRunFile(home, this.signal);
    if (running === null) throw error ?? (await import('../../cli/running-system.js')).notRunning(home);
    const { credentialsPath } = await import('../../cli/home.js');
    const document: StartedDocument = {
      status: 'already_running',
      version: running.version,
      pid: running.pid,
      pids: {},
      url: running.url,
      urls: urlsOf(running.url),
      home,
      database: { location: running.database, engine: null, durability: null, migrated: null },
      credentials_file: credentialsPath(home),
      token_created: false,
      bus: null,
      fallbacks: [],
      timings: {},
      log_file: running.log_file,
      down_since: null,
      backlog: null,
      zone_database: null,
      detached: false,
    };
    this.stream(document, () => alreadyRunningText(document));
    this.out.hint('pao status');
    this.out.hint('pao stop');
  }

  #settings(): Partial<ConfigInput> {
    const { port, host, workers, concurrency, database, redis, 'log-level': level } = this.flags;
    const given = {
      port,
      host,
      workers,
      worker_concurrency: concurrency,
      database_url: database,
      redis_url: redis,
      log_level: level,
    };
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  }

  #documentOf(system: StartedSystem, home: string, config: Config): StartedDocument {
    const { url, database, token, whileDown } = system;
    const { since, backlog, zones } = whileDown;
    return {
      status: 'started',
      version: this.config.version,
      pid: process.pid,
      pids: system.pids,
      url,
      urls: urlsOf(url),
      home,
      database: {
        location: database.location,
        engine: database.engine,
        durability: config.durability,
        migrated: database.migrated,
      },
      credentials_file: token.file,
      token_created: token.created,
      bus: system.bus,
      fallbacks: system.fallbacks,
      timings: system.timings,
      log_file: system.logFile,
      down_since: since === null ? null : new Date(since).toISOString(),
      backlog: backlog && {
        tasks: backlog.tasks,
        caught_up: backlog.caughtUp,
        missed: backlog.missed,
        skipped: backlog.skipped,
        reasons: backlog.reasons,
        first: new Date(backlog.first as number).toISOString(),
      },
      zone_database: zones && {
        from: zones.from,
        to: zones.to,
        moved: zones.moved,
        tasks: zones.tasks.map(({ name }) => name),
      },
      detached: false,
    };
  }
}
