import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { systemClock } from '../../domain/clock.js';
import { parseDuration } from '../../domain/duration.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import type { Observer } from '../../domain/observability/observer.js';
import type { Observation } from '../bus/bus.js';
import { IpcHub } from '../bus/ipc-bus.js';
import type { Config } from '../config.js';
import { readDatabaseUrl } from '../store/database-url.js';
import { openStore } from '../store/open.js';
import type { Store } from '../store/store.js';
import { restartReason } from '../telemetry/restart-reason.js';
import { ChildService } from './child-service.js';
import { credentialsFile, writeCredentials } from './credentials-file.js';
import { reachDatabase, reachRedis, type ReachOptions } from './reach.js';
import type { ServiceKind } from './service-messages.js';
import { takeBackWork } from './take-back.js';

export interface ForegroundOptions {
  kind: ServiceKind;
  home: string;
  config: Config;
  version: string;
  serviceEntry: string;
  env: NodeJS.ProcessEnv;
  waitMs: number;
  signal: AbortSignal;
  /** Every line of its log, JSON. */
  onLog(line: string): void;
}

/** One service of a fleet: `pao api`, `pao scheduler`, `pao worker`. */
export interface ForegroundService {
  url: string | null;
  database: string;
  pid: number;
  /** The file with the administrator's token, when this start made it. */
  credentialsFile: string | null;
  stop(): Promise<Record<string, number>>;
  kill(): void;
}

/**
 * Starts one service of a fleet over a shared database and stays beside it: a process that dies is brought back, and what
 * it held is given back at once.
 * @throws PaoError PAO_FLEET_NEEDS_POSTGRES (exit 2) on SQLite; exit 3 when the database does not answer in time.
 */
export async function startForeground(options: ForegroundOptions): Promise<ForegroundService> {
  const { kind, home, config, version, signal, onLog } = options;
  const url = config.database_url;
  if (url === undefined || readDatabaseUrl(url)?.engine !== 'postgres') {
    throw new PaoError(
      'PAO_FLEET_NEEDS_POSTGRES',
      `pao ${kind} is one part of a fleet that shares a PostgreSQL database; none is set.`,
      {
        exitCode: EXIT.usage,
        hints: [
          `pao ${kind} --database postgres://USER@HOST/NAME`,
          'pao start local runs everything here on SQLite',
        ],
      },
    );
  }
  const say = (level: 'warn' | 'error', msg: string, fields: object) =>
    onLog(
      JSON.stringify({
        level,
        time: new Date(systemClock.now()).toISOString(),
        service: kind,
        ...fields,
        msg,
      }),
    );
  const reach: ReachOptions = {
    waitMs: options.waitMs,
    strict: true,
    signal,
    say: (message, fields) => say('warn', message, fields),
  };
  await reachDatabase(url, home, reach);
  const redis = await reachRedis(config.redis_url, { ...reach, strict: false, waitMs: 0 });
  if (redis !== null) say('warn', redis.message, { hint: redis.hint });
  const store = await openStore({ url });
  try {
    await store.migrate(systemClock.now());
    const secret = kind === 'api' ? await firstAdmin(store, home) : null;
    const hub = new IpcHub();
    const losses = new Losses();
    // A port that was picked by the system stays the same over restarts.
    let port = kind === 'api' ? config.port : config.metrics_port;
    let takenBack: Promise<void> = Promise.resolve();
    const service = new ChildService({
      entry: options.serviceEntry,
      env: environmentOf(options.env),
      init: () => ({
        kind,
        slot: kind === 'worker' ? 'w1' : kind,
        workerId: `wrk_${kind}_${randomUUID()}`,
        config: kind === 'api' ? { ...config, port: port ?? config.port } : config,
        databaseUrl: url,
        home,
        version,
        clockOffsetMs: null,
        // As a process of its own it keeps that name when its service has to be started again.
        ...(kind === 'worker' ? { place: `w${process.pid}` } : {}),
        ...(kind === 'api' || port === undefined ? {} : { endpoint: { host: config.metrics_host, port } }),
        startedAt: systemClock.now(),
        fallbacks: [],
      }),
      onLine: (line) => (line.startsWith('{') ? onLog(line) : say('warn', line, {})),
      onSpawn: (child) => hub.attach(child),
      onReady: (served, restarts) => {
        if (served !== undefined) port = Number(new URL(served).port);
        if (restarts === 0) return;
        say('warn', `${kind} was restarted`, { restarts });
        // Its registry begins at 0 again.
        void takenBack.then(() => hub.publish('metrics', { observations: losses.all() }));
      },
      onExit: ({ workerId, code, signal: ended, expected }) => {
        if (expected) return;
        say('error', `${kind} died`, { code, signal: ended });
        if (kind !== 'worker' || workerId === '') return;
        losses.add('worker_restarts_total', { reason: restartReason({ code, signal: ended }) });
        takenBack = takeBackWork({
          store,
          workerId,
          slot: kind,
          now: systemClock.now(),
          observer: losses,
          bus: hub,
          notify: config.notify,
          say,
        });
      },
    });
    service.spawn();
    const served = (await service.begin()) ?? null;
    const written = secret === null ? null : writeCredentials(home, { url: served as string, token: secret });
    return {
      url: served,
      database: store.location,
      pid: service.pid ?? 0,
      credentialsFile: written,
      async stop() {
        service.expectEnd();
        await service.stop(parseDuration(config.grace));
        await hub.close();
        await store.close();
        return service.summary;
      },
      kill: () => service.kill(),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** What this process counts, from its start: the process that has the registry may be another one by then. */
class Losses implements Observer {
  readonly #counted = new Map<string, Observation>();

  add(name: string, labels: Record<string, string> = {}, by = 1): void {
    if (by === 0) return;
    const key = JSON.stringify([name, labels]);
    const before = this.#counted.get(key)?.values[0] ?? 0;
    this.#counted.set(key, { name, labels, values: [before + by] });
  }

  observe(): void {}
  set(): void {}
  all = (): Observation[] => [...this.#counted.values()];
}

/** On a database without an administrator the first API makes one; others find theirs with the operator. */
async function firstAdmin(store: Store, home: string): Promise<string | null> {
  if ((await store.findAgentByName('admin')) !== null) return null;
  const { bootstrapAdmin } = await import('../api/bootstrap-admin.js');
  return bootstrapAdmin({
    store,
    clock: systemClock,
    hasCredentials: existsSync(credentialsFile(home)),
  });
}

function environmentOf(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { DATABASE_URL: _database, REDIS_URL: _redis, PAO_TOKEN: _token, ...kept } = env;
  return kept;
}
