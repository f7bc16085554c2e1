import { join } from 'node:path';
import type { Command } from '@oclif/core/command';
import type { ConfigInput } from '../server/config.js';
import type { ServiceKind } from '../server/supervisor/service-messages.js';
import { BaseCommand, LOCAL_FLAGS } from './base-command.js';
import { durationFlag, Flags } from './flags.js';

const DEFAULT_WAIT_MS = 30_000;

/** Flags that every service of a fleet takes. */
export const FLEET_FLAGS = {
  database: Flags.string({ summary: 'PostgreSQL that the fleet shares (DATABASE_URL)', helpValue: 'URL' }),
  redis: Flags.string({ summary: 'Redis for wake-ups (REDIS_URL); otherwise none', helpValue: 'URL' }),
  wait: durationFlag({ summary: 'How long to wait for the database at the start; 30s when left out' }),
  'log-level': Flags.string({ summary: 'What is logged (PAO_LOG_LEVEL; info)', helpValue: 'LEVEL' }),
};

/** Where a service that is no API says how it is. */
export const ENDPOINT_FLAGS = {
  'metrics-port': Flags.integer({
    summary: 'Answer /metrics and /health on this port (PAO_METRICS_PORT; off), 0 for any free one',
    helpValue: 'PORT',
  }),
  'metrics-host': Flags.string({
    summary: 'Address for --metrics-port (PAO_METRICS_HOST; 127.0.0.1)',
    helpValue: 'HOST',
  }),
};

/** One service of a fleet in the foreground, until Ctrl-C or SIGTERM; its log goes to stderr. */
export abstract class ForegroundCommand<T extends typeof Command> extends BaseCommand<T> {
  static override baseFlags = LOCAL_FLAGS as typeof BaseCommand.baseFlags;
  static override readonly drains: boolean = true;

  protected abstract readonly kind: ServiceKind;

  /** Settings that this service alone takes as flags. */
  protected settings(): Partial<ConfigInput> {
    return {};
  }

  async run(): Promise<void> {
    const [{ loadConfig }, { startForeground }, { formatLogLine, readLogLine }] = await Promise.all([
      import('../server/config.js'),
      import('../server/supervisor/foreground-service.js'),
      import('./log-line.js'),
    ]);
    const given = this.flags as {
      database?: string;
      redis?: string;
      wait?: number;
      'log-level'?: string;
      'metrics-port'?: number;
      'metrics-host'?: string;
    };
    const flags = {
      database_url: given.database,
      redis_url: given.redis,
      log_level: given['log-level'],
      metrics_port: given['metrics-port'],
      metrics_host: given['metrics-host'],
      ...this.settings(),
    };
    const { config } = await loadConfig({
      flags: Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)),
      env: this.process.env,
      cwd: this.process.cwd,
    });
    const { kind } = this;
    const service = await startForeground({
      kind,
      home: this.dataDirectory(),
      config,
      version: this.config.version,
      serviceEntry: join(this.packageRoot, 'dist', 'service.cjs'),
      env: this.process.env,
      waitMs: given.wait ?? DEFAULT_WAIT_MS,
      signal: this.signal,
      // For people in a terminal, as it is for whatever collects it elsewhere.
      onLog: (line) =>
        this.out.failure(
          this.out.isInteractive ? formatLogLine(readLogLine(line), this.out.paintNote) : line,
        ),
    });
    const endChild = () => service.kill();
    process.once('exit', endChild);
    const { url, database, pid, credentialsFile } = service;
    this.stream(
      {
        status: 'ready',
        kind,
        url,
        database,
        pid: process.pid,
        service_pid: pid,
        credentials_file: credentialsFile,
      },
      () =>
        `pao ${kind} is ready${url === null ? '' : kind === 'api' ? ` at ${url}` : `, /metrics and /health at ${url}`} (database ${database}, process ${process.pid})`,
    );
    if (credentialsFile !== null) this.out.note(`The administrator's token is in ${credentialsFile} (new).`);
    if (!this.signal.aborted)
      await new Promise<void>((resolve) =>
        this.signal.addEventListener('abort', () => resolve(), { once: true }),
      );
    this.out.note('Stopping: running work may finish; press Ctrl-C again to stop at once.');
    const { finished = 0, handed_back: back = 0 } = await service.stop();
    process.removeListener('exit', endChild);
    this.out.note(
      kind === 'worker'
        ? `Stopped: ${finished} runs finished while stopping, ${back} handed back.`
        : 'Stopped.',
    );
  }
}
