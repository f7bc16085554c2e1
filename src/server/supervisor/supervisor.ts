import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../domain/clock.js';
import { parseDuration } from '../../domain/duration.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { isRedisUrl, shownRedisUrl } from '../../domain/redis-url.js';
import { IpcHub } from '../bus/ipc-bus.js';
import { type Config, storeSettings } from '../config.js';
import { ServiceClock } from '../service-clock.js';
import { requireShared } from '../store/database-url.js';
import { openStore } from '../store/open.js';
import { diskFull } from '../store/sqlite/errors.js';
import type { Store } from '../store/store.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { restartReason } from '../telemetry/restart-reason.js';
import { ChildService } from './child-service.js';
import { credentialsFile, writeCredentials } from './credentials-file.js';
import { lockDataDirectory } from './data-lock.js';
import { portOwner, portProblem } from './port-owner.js';
import { type Fallback, reachDatabase, type ReachOptions, reachRedis } from './reach.js';
import { RotatingLog } from './rotating-log.js';
import { processStart, removeRunFile, writeRunFile } from './run-file.js';
import type { ServiceInit, ServiceKind } from './service-messages.js';
import { takeBackWork } from './take-back.js';
import { lastSignOfLife, readWhileDown, type WhileDown } from './while-down.js';
import { makeFolder } from './make-folder.js';

export interface SupervisorOptions {
  home: string;
  config: Config;
  /** The file its settings were read from, if any. */
  configFile?: string | null;
  version: string;
  /** The built entry point of services (`dist/service.cjs`). */
  serviceEntry: string;
  env: NodeJS.ProcessEnv;
  /** Start of the test clock, epoch milliseconds; null for real time. */
  testClockStart: number | null;
  /** Warnings and errors of the services, one JSON line each. */
  onLog?: (line: string) => void;
  /** `pao start system`: what is configured is looked for before anything is built on it; null takes it as it is. */
  reach?: { waitMs: number; strict: boolean; signal: AbortSignal } | null;
}

/** The parts of a start, in order; each is shown as it comes up. */
export type StartStage = 'home' | 'store' | 'bus' | 'api' | 'scheduler' | 'workers';

export interface StartedSystem {
  url: string;
  token: { file: string; created: boolean };
  database: { url: string; engine: string; location: string; migrated: { from: number; to: number } | null };
  bus: string;
  /** What the system goes on without. */
  fallbacks: Fallback[];
  /** The parts as they came up, milliseconds each. */
  timings: Record<StartStage, number>;
  logFile: string;
  pids: Record<string, number>;
  /** What had come due while nothing ran, and what became of it. */
  whileDown: WhileDown;
}

/** How often the room on the disk is looked after, milliseconds. */
const TEND_MS = 1000;

const SERVICE_LOG_LEVELS = /"level":"(warn|error|fatal)"/;

/** Starts, watches and stops the services of a local system (architecture.md, Processes). */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #children: { kind: ServiceKind; slot: string; service: ChildService }[] = [];
  readonly #hub = new IpcHub();
  readonly #clock: ServiceClock | typeof systemClock;
  readonly #observations = new ObservationBuffer((observations) =>
    this.#hub.publish('metrics', { observations }),
  );
  #release: (() => void) | null = null;
  #store: Store | null = null;
  #log: RotatingLog | null = null;
  #startedAt = 0;
  #stopping = false;
  #databaseUrl: string;
  /** Where the API answers. */
  #url: string | null = null;
  #tending: NodeJS.Timeout | null = null;
  #isFull = false;
  readonly #fallbacks: Fallback[] = [];

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#clock =
      options.testClockStart === null ? systemClock : new ServiceClock(options.testClockStart - Date.now());
    if (this.#clock instanceof ServiceClock) this.#clock.follow(this.#hub);
    this.#databaseUrl = options.config.database_url ?? `sqlite:${join(options.home, 'orchestrator.db')}`;
  }

  /** @param stage called around each part of the start, so that it can be shown. */
  async start(show: <T>(name: StartStage, work: () => Promise<T>) => Promise<T>): Promise<StartedSystem> {
    const { home, config, version } = this.#options;
    this.#startedAt = this.#clock.now();
    const timings = {} as Record<StartStage, number>;
    const stage = async <T>(name: StartStage, work: () => Promise<T>): Promise<T> => {
      const began = performance.now();
      const result = await show(name, work);
      timings[name] = Math.round(performance.now() - began);
      return result;
    };
    try {
      await stage('home', async () => {
        requireShared(this.#databaseUrl);
        this.#release = lockDataDirectory(home);
        this.#log = new RotatingLog(join(home, 'logs', 'pao.log'));
        await this.#checkPort();
      });
      // The children load their code while the store is brought up to date.
      this.#spawnAll();
      const { migrated, since } = await stage('store', () => this.#prepareStore());
      await stage('bus', () => this.#reachBus());
      const url = await stage('api', () => this.#begin('api'));
      const token = this.#writeCredentials(url as string);
      await stage('scheduler', () => this.#begin('scheduler'));
      await stage('workers', () => this.#begin('worker'));
      const whileDown = await readWhileDown(this.#store as Store, since, this.#startedAt);
      writeRunFile(home, {
        pid: process.pid,
        process_start: processStart(process.pid),
        url: url as string,
        version,
        started_at: new Date(Date.now()).toISOString(),
        home,
        database: (this.#store as Store).location,
        log_file: (this.#log as unknown as RotatingLog).file,
        config_file: this.#options.configFile ?? null,
      });
      return {
        url: url as string,
        token,
        database: {
          url: config.database_url ?? '',
          engine: (this.#store as Store).engine,
          location: (this.#store as Store).location,
          migrated,
        },
        bus: isRedisUrl(config.redis_url) ? shownRedisUrl(config.redis_url) : 'ipc',
        fallbacks: this.#fallbacks,
        timings,
        logFile: (this.#log as unknown as RotatingLog).file,
        pids: Object.fromEntries(this.#children.map(({ slot, service }) => [slot, service.pid ?? 0])),
        whileDown,
      };
    } catch (error) {
      await this.stop(0).catch(() => {});
      // A lock, a log or a run file that could not be made.
      const { code } = error as { code?: unknown };
      throw code === 'ENOSPC' || code === 'EDQUOT' ? diskFull(join(home, 'run'), error) : error;
    }
  }

  /** Drains the services in the order workers, scheduler, API, then closes the store. */
  async stop(graceMs = parseDuration(this.#options.config.grace)): Promise<Record<string, number>> {
    this.#stopping = true;
    for (const { service } of this.#children) service.expectEnd();
    const summary: Record<string, number> = {};
    for (const kind of ['worker', 'scheduler', 'api'] as const) {
      await Promise.all(
        this.#children.filter((child) => child.kind === kind).map(({ service }) => service.stop(graceMs)),
      );
    }
    for (const { service } of this.#children) {
      for (const [name, value] of Object.entries(service.summary))
        summary[name] = (summary[name] ?? 0) + value;
    }
    if (this.#tending !== null) {
      clearInterval(this.#tending);
      // Not into a database that was refused: it stays as it is.
      await this.#store?.setMeta('stopped_at', String(this.#clock.now())).catch(() => {});
    }
    await this.#store?.close();
    this.#store = null;
    await this.#hub.close();
    if (this.#release !== null) removeRunFile(this.#options.home);
    this.#release?.();
    this.#release = null;
    this.#log?.close();
    this.#log = null;
    return summary;
  }

  /** Ends everything now; leases run out and are taken back at the next start. */
  kill(): void {
    for (const { service } of this.#children) service.kill();
    if (this.#release !== null) removeRunFile(this.#options.home);
  }

  async #checkPort(): Promise<void> {
    const { host, port } = this.#options.config;
    const problem = await portProblem(host, port);
    if (problem === null) return;
    if (problem !== 'EADDRINUSE') {
      throw new PaoError('PAO_PORT_UNUSABLE', `${host}:${port} can not be listened on (${problem}).`, {
        exitCode: EXIT.unavailable,
        hints: ['pao start local --host 127.0.0.1 --port 8090'],
      });
    }
    const owner = portOwner(port);
    const by = owner === null ? '' : ` by ${owner.command} (pid ${owner.pid})`;
    throw new PaoError('PAO_PORT_IN_USE', `Port ${port} is already in use${by}.`, {
      exitCode: EXIT.unavailable,
      hints: [`pao start local --port ${port + 1}`, 'pao start local --port 0'],
    });
  }

  async #prepareStore(): Promise<{ migrated: { from: number; to: number } | null; since: number | null }> {
    const { config, home } = this.#options;
    const reach = this.#reachOptions();
    if (reach !== null) {
      const { url, fallback } = await reachDatabase(this.#databaseUrl, home, reach);
      this.#databaseUrl = url;
      if (fallback !== null) this.#giveUp(fallback);
    }
    this.#store = await openStore({ url: this.#databaseUrl, ...storeSettings(config) });
    const now = this.#clock.now();
    const migration = await this.#store.migrate(now);
    await this.#tendSpace();
    this.#tending = setInterval(() => void this.#tendSpace(), TEND_MS);
    this.#tending.unref();
    const { bootstrapAdmin } = await import('../api/bootstrap-admin.js');
    this.#newToken = await bootstrapAdmin({
      store: this.#store,
      clock: this.#clock,
      hasCredentials: existsSync(credentialsFile(home)),
    });
    const since = await lastSignOfLife(this.#store);
    if (config.database_url === undefined) {
      // The lock of the data directory is ours, so nobody lives who had a lease on its own database.
      for (const { id, kind, slot } of await this.#store.listWorkers())
        if (kind === 'worker') await this.#takeBack(id, slot);
    }
    return { migrated: migration.from === migration.to ? null : migration, since };
  }

  async #reachBus(): Promise<void> {
    const reach = this.#reachOptions();
    const fallback = reach === null ? null : await reachRedis(this.#options.config.redis_url, reach);
    if (fallback !== null) this.#giveUp(fallback);
  }

  #reachOptions(): ReachOptions | null {
    const { reach = null } = this.#options;
    if (reach === null) return null;
    return { ...reach, say: (message, fields) => this.#say('warn', message, fields) };
  }

  #giveUp(fallback: Fallback): void {
    this.#fallbacks.push(fallback);
    this.#say('warn', fallback.message, { component: fallback.component, hint: fallback.hint });
  }

  /** Says it once when new work is refused for lack of room, and when it is taken again. */
  async #tendSpace(): Promise<void> {
    try {
      const space = await this.#store?.tendSpace();
      if (space === undefined || space.full === this.#isFull) return;
      this.#isFull = space.full;
      const fields = { free_bytes: space.freeBytes };
      if (space.full) {
        this.#say(
          'error',
          'the disk is full: no new work is taken until there is room; what runs may end',
          fields,
        );
        return;
      }
      this.#say('warn', 'there is room on the disk again: work goes on', fields);
      this.#hub.publish('work', { count: 1 });
      this.#hub.publish('schedule', { reason: 'task' });
    } catch (error) {
      this.#say('warn', 'the room on the disk could not be looked after', { reason: String(error) });
    }
  }

  #newToken: string | null = null;

  /** The secret of a new admin token is written once; later starts only correct the URL. */
  #writeCredentials(url: string): { file: string; created: boolean } {
    const { home } = this.#options;
    const created = this.#newToken !== null;
    const kept = () => (JSON.parse(readFileSync(credentialsFile(home), 'utf8')) as { token: string }).token;
    return { file: writeCredentials(home, { url, token: this.#newToken ?? kept() }), created };
  }

  #spawnAll(): void {
    this.#spawn('api', 'api');
    this.#spawn('scheduler', 'scheduler');
    for (let index = 1; index <= this.#options.config.workers; index++) this.#spawn('worker', `w${index}`);
  }

  #spawn(kind: ServiceKind, slot: string): void {
    const { home, config, version, serviceEntry } = this.#options;
    makeFolder(home);
    let port = config.port;
    const init = (): ServiceInit => ({
      kind,
      slot,
      workerId: `wrk_${slot}_${randomUUID()}`,
      config: { ...config, port, ...(kind === 'worker' ? this.#linksFor(config) : {}) },
      databaseUrl: this.#databaseUrl,
      home,
      version,
      clockOffsetMs: this.#clock instanceof ServiceClock ? this.#clock.offset : null,
      startedAt: this.#startedAt,
      fallbacks: this.#fallbacks,
    });
    const service = new ChildService({
      entry: serviceEntry,
      env: this.#childEnvironment(kind),
      init,
      onLine: (line) => this.#writeLog(slot, line),
      onSpawn: (child) => this.#hub.attach(child),
      onReady: (url, restarts) => {
        // A port that was picked by the system stays the same over restarts.
        if (url !== undefined) {
          port = Number(new URL(url).port);
          this.#url = url;
        }
        if (restarts > 0) this.#say('warn', `${slot} was restarted`, { slot, restarts });
      },
      onExit: (exit) => void this.#childGone(kind, slot, exit),
    });
    this.#children.push({ kind, slot, service });
    service.spawn();
  }

  /** Where links in messages lead: when nothing else is known, to this machine. */
  #linksFor({ public_url: told }: Config): { public_url?: string } {
    const address = told ?? this.#url;
    return address === null ? {} : { public_url: address };
  }

  /** Children get what they need and no more: passwords go over IPC, tools' secrets only to those that call tools. */
  #childEnvironment(kind: ServiceKind): NodeJS.ProcessEnv {
    const { env } = this.#options;
    const kept: NodeJS.ProcessEnv = {};
    for (const [name, value] of Object.entries(env)) {
      if (name === 'DATABASE_URL' || name === 'DATABASE_DIRECT_URL' || name === 'PAO_TOKEN') continue;
      if (kind === 'scheduler' && (name.startsWith('PAO_SECRET_') || name === 'NODE_EXTRA_CA_CERTS'))
        continue;
      kept[name] = value;
    }
    return kept;
  }

  async #begin(kind: ServiceKind): Promise<string | undefined> {
    const group = this.#children.filter((child) => child.kind === kind);
    let url: string | undefined;
    await Promise.all(
      group.map(async ({ service }) => {
        url = (await service.begin()) ?? url;
      }),
    );
    return url;
  }

  async #childGone(
    kind: ServiceKind,
    slot: string,
    exit: { workerId: string; code: number | null; signal: string | null; expected: boolean },
  ): Promise<void> {
    if (exit.expected || this.#stopping) return;
    this.#say('error', `${slot} died`, { slot, code: exit.code, signal: exit.signal });
    if (kind === 'worker') this.#observations.add('worker_restarts_total', { reason: restartReason(exit) });
    if (kind === 'worker' && exit.workerId !== '') await this.#takeBack(exit.workerId, slot);
  }

  async #takeBack(workerId: string, slot: string): Promise<void> {
    if (this.#store === null) return;
    await takeBackWork({
      store: this.#store,
      workerId,
      slot,
      now: this.#clock.now(),
      observer: this.#observations,
      bus: this.#hub,
      notify: this.#options.config.notify,
      say: (level, msg, fields) => this.#say(level, msg, fields),
    });
  }

  #say(level: 'warn' | 'error', msg: string, fields: object): void {
    this.#writeLog(
      'supervisor',
      JSON.stringify({
        level,
        time: new Date(this.#clock.now()).toISOString(),
        service: 'supervisor',
        ...fields,
        msg,
      }),
    );
  }

  #writeLog(slot: string, line: string): void {
    const json = line.startsWith('{')
      ? line
      : JSON.stringify({
          level: 'warn',
          time: new Date(this.#clock.now()).toISOString(),
          service: slot,
          msg: line,
        });
    this.#log?.write(json);
    if (SERVICE_LOG_LEVELS.test(json)) this.#options.onLog?.(json);
  }
}
