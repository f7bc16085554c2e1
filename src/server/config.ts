import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { parseDuration } from '../domain/duration.js';
import { channelsSchema } from '../domain/channel.js';
import { EXIT, invalidInput, PaoError, type Problem } from '../domain/errors.js';
import { nearest } from '../domain/nearest.js';
import { timeZoneText } from '../domain/nearest-zone.js';
import { problemsFromZod } from '../domain/problems-from-zod.js';
import { perDaySchema } from '../domain/budget.js';
import { durationText } from '../domain/schedule.js';
import { isSecretName } from '../domain/secret-name.js';
import type { OpenStoreOptions } from './store/open.js';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** The one description of every setting; keys as in `pao.config.yaml`. */
export const configSchema = z.strictObject({
  /** `sqlite:PATH`, `postgres://…`; `orchestrator.db` in the data directory when left out. */
  database_url: z.string().min(1).optional(),
  /** The database itself, where `database_url` names a pooler: wake-ups (LISTEN) need a connection of their own. */
  database_direct_url: z.string().min(1).optional(),
  /** How PostgreSQL is used by each process. */
  postgres: z
    .strictObject({
      /** Connections at most. */
      pool_size: z.int().min(2).max(500).default(8),
      /** How long a connection is waited for; also how long a database that went away is. */
      connect_timeout: durationText(100, 60_000).default('5s'),
      statement_timeout: durationText(100, 600_000).default('15s'),
      lock_timeout: durationText(100, 600_000).default('5s'),
      /** `auto`: used, unless a pooler stands between. */
      prepared_statements: z.enum(['auto', 'on', 'off']).default('auto'),
    })
    .prefault({}),
  /** `memory://` or `redis://…`. */
  redis_url: z.string().min(1).default('memory://'),
  /** Begins every key in Redis: systems that share one have different prefixes. */
  redis_prefix: z
    .string()
    .regex(/^[\w:.-]{1,64}$/)
    .default('pao'),
  host: z.string().min(1).default('127.0.0.1'),
  /**
   * Where people reach this system: `https://pao.example.org`. Links in messages begin with it, and its name may be the Host
   * of requests. Left out, `pao start` puts the address on this machine into links.
   */
  public_url: z
    .url({ protocol: /^https?$/ })
    .max(500)
    .optional(),
  port: z.int().min(0).max(65535).default(8080),
  /** Where `pao scheduler` and `pao worker` answer `/metrics` and `/health`; nowhere when left out. */
  metrics_port: z.int().min(0).max(65535).optional(),
  metrics_host: z.string().min(1).default('127.0.0.1'),
  /** Further values of the Host header: `pao.example.org` on any port (behind a proxy), `localhost:9000` on that one. */
  allowed_hosts: z.array(z.string().min(1).toLowerCase()).default([]),
  /** Worker processes. */
  workers: z.int().min(0).max(64).default(2),
  /** Runs one worker executes at once. */
  worker_concurrency: z.int().min(1).max(1000).default(16),
  worker_tags: z.array(z.string().min(1).max(50)).default([]),
  log_level: z.enum(LOG_LEVELS).default('info'),
  /** IANA zone offered where a person leaves one out; never applied in silence. */
  timezone: timeZoneText.optional(),
  /** `full`: acknowledged means on the disk; `normal`: a power loss may take the last moments. */
  durability: z.enum(['full', 'normal']).default('full'),
  /** How long a worker may be silent before its work is taken back. */
  lease: durationText(1000, 3_600_000).default('15s'),
  /** How long a stop waits for running work. */
  grace: durationText(0, 600_000).default('25s'),
  /** An occurrence found later than this counts as caught up. */
  misfire_after: durationText(1000).default('60s'),
  /** Catch-up runs that start in a second at most, over all tasks: a restart is no storm. */
  catchup_per_second: z.number().min(0.01).max(1000).default(10),
  retention: z
    .strictObject({
      runs: durationText(3_600_000).default('90d'),
      events: durationText(3_600_000).default('30d'),
    })
    .default({ runs: '90d', events: '30d' }),
  /** Who is told that a task fails again and again, and when; a task's own `monitor` comes first. */
  notify: z
    .strictObject({
      webhook: z
        .url({ protocol: /^https?$/ })
        .max(2000)
        .optional(),
      /** A channel, by its name under `channels`. */
      channel: z.string().min(1).max(50).optional(),
      /** A tool of the catalog; its input may use ${notice.title}, ${notice.text}, ${notice.hint}, … */
      tool: z.string().min(1).max(200).optional(),
      with: z.record(z.string(), z.unknown()).default({}),
      /** Failures in a row until people are told. */
      after: z.int().min(1).max(1000).default(3),
      cooldown: durationText(1000).default('1h'),
      /** Failures in a row until the task is paused; never when left out. */
      pause_after: z.int().min(1).max(1000).optional(),
      /** Notices pass quiet hours. */
      urgent: z.boolean().default(false),
      /** Notices are gathered, and sent as one each day or week. */
      digest: z
        .strictObject({
          every: z.enum(['day', 'week']),
          at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day such as 08:00'),
          /** Of the week. */
          day: z.enum(['MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT', 'SUN']).default('MON'),
          timezone: timeZoneText,
        })
        .optional(),
      /** The channel that asks for approvals, unless their steps name another. */
      approvals: z.string().min(1).max(50).optional(),
      /** Private addresses (`host:port`) that the webhooks and pings of tasks may reach. */
      grants: z.array(z.string().min(1)).default([]),
    })
    .refine((one) => [one.webhook, one.tool, one.channel].filter((way) => way !== undefined).length <= 1, {
      message: 'may have one of channel, webhook and tool',
    })
    .prefault({}),
  /** Ways to people and programs, by name; a step uses one as the tool `channel.NAME`. */
  channels: channelsSchema.default({}),
  /** How messages are sent. */
  delivery: z
    .strictObject({
      /** How long one that could not be sent is tried again. */
      retry_for: durationText(0, 30 * 86_400_000).default('24h'),
    })
    .prefault({}),
  /** Asked for while the scheduler does its work; when it stays away, a dead-man switch tells people. */
  scheduler_ping: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).max(2000),
      every: durationText(1000).default('60s'),
    })
    .optional(),
  /** What all agents together may use from midnight to midnight, in `timezone`. */
  budget: z
    .strictObject({ per_day: perDaySchema, on_exceed: z.enum(['skip', 'pause']).default('skip') })
    .optional(),
  /** What models cost: a file, seen from the data directory; `prices.yaml` there when left out. */
  prices: z.string().min(1).optional(),
  rate_limit: z
    .strictObject({ per_second: z.int().min(1).default(200), burst: z.int().min(1).default(1000) })
    .default({ per_second: 200, burst: 1000 }),
  limits: z
    .strictObject({
      /** Tasks an agent may have that are not canceled, unless it has a bound of its own. */
      tasks_per_agent: z.int().min(0).max(1_000_000).default(10_000),
      /** How often a task that a run created may create one in turn. */
      spawn_depth: z.int().min(0).max(100).default(3),
    })
    .prefault({}),
  /** Where secrets come from besides the environment, `secrets.json` and `pao secret set`. */
  secrets: z
    .strictObject({
      /** A program that prints the value, by the name of the secret: `TOKEN: [pass, show, pao/token]`. No shell. */
      commands: z
        .record(
          z.string().refine(isSecretName, { message: 'can not be the name of a secret' }),
          z.array(z.string().min(1).max(4096)).min(1).max(50),
        )
        .default({}),
      command_timeout: durationText(100, 120_000).default('10s'),
    })
    .prefault({}),
  /** `pao lint-scheduler`; the names of the rules are checked by it. */
  lint: z
    .strictObject({ rules: z.record(z.string(), z.enum(['off', 'warning', 'error'])).default({}) })
    .default({ rules: {} }),
});

export type Config = z.infer<typeof configSchema>;
export type GlobalBudget = NonNullable<Config['budget']>;
export type ConfigInput = z.input<typeof configSchema>;
export type ConfigSource = 'flag' | 'environment' | 'file' | 'default';

const ENVIRONMENT: Record<string, { key: keyof Config; read: (text: string) => unknown }> = {
  DATABASE_URL: { key: 'database_url', read: String },
  DATABASE_DIRECT_URL: { key: 'database_direct_url', read: String },
  REDIS_URL: { key: 'redis_url', read: String },
  PAO_HOST: { key: 'host', read: String },
  PAO_PUBLIC_URL: { key: 'public_url', read: String },
  PAO_PORT: { key: 'port', read: numeric },
  PAO_METRICS_PORT: { key: 'metrics_port', read: numeric },
  PAO_METRICS_HOST: { key: 'metrics_host', read: String },
  PAO_WORKERS: { key: 'workers', read: numeric },
  PAO_WORKER_CONCURRENCY: { key: 'worker_concurrency', read: numeric },
  PAO_LOG_LEVEL: { key: 'log_level', read: String },
  PAO_TIMEZONE: { key: 'timezone', read: String },
  PAO_PRICES: { key: 'prices', read: String },
};

/** Environment variables that are settings. */
export const KNOWN_ENVIRONMENT: readonly string[] = Object.keys(ENVIRONMENT);

/** Text that is no number stays text, so that the schema names the mistake. */
function numeric(text: string): unknown {
  return /^-?\d+$/.test(text.trim()) ? Number(text) : text;
}

/** What looking for secrets takes from the configuration. */
export function secretSettings({ secrets }: Config): {
  commands: Record<string, string[]>;
  commandTimeoutMs: number;
} {
  return { commands: secrets.commands, commandTimeoutMs: parseDuration(secrets.command_timeout) };
}

/** What opening the store takes from the configuration. */
export function storeSettings({ durability, postgres }: Config): Omit<OpenStoreOptions, 'url'> {
  return {
    durability,
    postgres: {
      poolSize: postgres.pool_size,
      connectTimeoutMs: parseDuration(postgres.connect_timeout),
      statementTimeoutMs: parseDuration(postgres.statement_timeout),
      lockTimeoutMs: parseDuration(postgres.lock_timeout),
      preparedStatements: postgres.prepared_statements,
    },
  };
}

export interface LoadedConfig {
  config: Config;
  /** Where each setting came from. */
  sources: Record<keyof Config, ConfigSource>;
  /** The configuration file that was read. */
  file: string | null;
}

/**
 * Settings by precedence: flags > environment > `pao.config.yaml` (nearest upward from `cwd`) > defaults.
 * @throws PaoError (exit 2) that lists every wrong setting with where it was set.
 */
export async function loadConfig(options: {
  flags?: Partial<ConfigInput>;
  env: NodeJS.ProcessEnv;
  cwd: string;
}): Promise<LoadedConfig> {
  const file = findUpward(options.cwd, 'pao.config.yaml');
  const fromFile = file === null ? {} : await readConfigFile(file);
  const values: Record<string, unknown> = { ...fromFile };
  const sources: Record<string, ConfigSource> = {};
  const origin: Record<string, string> = {};
  for (const key of Object.keys(configSchema.shape)) sources[key] = key in fromFile ? 'file' : 'default';
  for (const [name, { key, read }] of Object.entries(ENVIRONMENT)) {
    const text = options.env[name];
    if (text === undefined || text === '') continue;
    values[key] = read(text);
    sources[key] = 'environment';
    origin[key] = name;
  }
  for (const [key, value] of Object.entries(options.flags ?? {})) {
    if (value === undefined) continue;
    values[key] = value;
    sources[key] = 'flag';
    origin[key] = `--${key.replaceAll('_', '-')}`;
  }
  const parsed = configSchema.safeParse(values);
  if (!parsed.success) {
    const problems = problemsFromZod(parsed.error, values, configSchema).map((problem): Problem => {
      const key = problem.pointer.split('/')[1] ?? '';
      const where = origin[key] ?? (key in fromFile ? file : null);
      return where === null || where === undefined
        ? problem
        : { ...problem, message: `${problem.message} (set by ${where})` };
    });
    throw invalidInput('The configuration is not valid.', problems, ['pao doctor']);
  }
  const unknown = unknownChannels(parsed.data);
  if (unknown.length > 0) throw invalidInput('The configuration is not valid.', unknown, ['pao doctor']);
  return { config: parsed.data, sources: sources as LoadedConfig['sources'], file };
}

/** Where `notify` names a channel that there is not. */
function unknownChannels({ notify, channels }: Config): Problem[] {
  return (['channel', 'approvals'] as const).flatMap((key): Problem[] => {
    const name = notify[key];
    if (name === undefined || Object.hasOwn(channels, name)) return [];
    const near = nearest(name, Object.keys(channels));
    return [
      {
        pointer: `/notify/${key}`,
        message: `there is no channel "${name}"`,
        hint: near === null ? 'Name it under channels' : `Did you mean "${near}"?`,
      },
    ];
  });
}

async function readConfigFile(file: string): Promise<Record<string, unknown>> {
  const { parseYamlDocuments } = await import('../domain/yaml-position.js');
  const [document] = await parseYamlDocuments(readFileSync(file, 'utf8'), file);
  const value = document?.value ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new PaoError('PAO_CONFIG_SYNTAX', `${file} must hold settings (key: value).`, {
      exitCode: EXIT.usage,
    });
  }
  return value as Record<string, unknown>;
}

/** The nearest file of that name in a folder or one above it. */
export function findUpward(from: string, name: string): string | null {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, name);
    if (existsSync(candidate)) return candidate;
    if (dirname(folder) === folder) return null;
  }
}
