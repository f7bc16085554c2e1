import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { z } from 'zod';
import { parseDuration } from '../domain/duration.js';
import { EXIT, invalidInput, PaoError, type Problem } from '../domain/errors.js';
import { nearest } from '../domain/nearest.js';
import { problemsFromZod } from '../domain/problems-from-zod.js';
import { configSchema } from './config-schema.js';
import type { OpenStoreOptions } from './store/open.js';

export { configSchema };

export type Config = z.infer<typeof configSchema>;
export type GlobalBudget = NonNullable<Config['budget']>;
export type ConfigInput = z.input<typeof configSchema>;
export type ConfigSource = 'flag' | 'environment' | 'file' | 'default';

/** The settings that a variable sets, over the file. */
export const ENVIRONMENT: Record<string, { key: keyof Config; read: (text: string) => unknown }> = {
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
