import { join, resolve } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';
import type { Config, LoadedConfig } from '../server/config.js';
import type { CliProcess } from './cli-config.js';
import { Flags } from './flags.js';

/** The database of a data directory, and the settings that go with it. */
export interface ChosenDatabase {
  home: string;
  url: string;
  config: Config;
  sources: LoadedConfig['sources'];
}

/** The flag of every `pao db` command. */
export const databaseFlag = Flags.string({
  summary: 'Database (DATABASE_URL); otherwise the one of the data directory',
  helpValue: 'URL',
});

/**
 * The database pao uses at this place: `--database`, DATABASE_URL, `pao.config.yaml`, then `orchestrator.db` in the data
 * directory.
 * @throws PaoError (exit 2) when the configuration is wrong.
 */
export async function chooseDatabase(
  home: string,
  { env, cwd }: Pick<CliProcess, 'env' | 'cwd'>,
  flag?: string,
): Promise<ChosenDatabase> {
  const { loadConfig } = await import('../server/config.js');
  const { config, sources } = await loadConfig({
    flags: { ...(flag === undefined ? {} : { database_url: flag }) },
    env,
    cwd,
  });
  return { home, config, sources, url: config.database_url ?? `sqlite:${join(home, 'orchestrator.db')}` };
}

/** The file of an SQLite database, for what can only be done to a file. */
export async function databaseFile(url: string, what: string): Promise<string> {
  const { readDatabaseUrl, shownDatabase } = await import('../server/store/database-url.js');
  const read = readDatabaseUrl(url);
  if (read?.engine === 'sqlite' && read.path !== ':memory:') return resolve(read.path);
  throw new PaoError('PAO_STORE_URL', `${what} needs an SQLite file, and ${shownDatabase(url)} is none.`, {
    exitCode: EXIT.usage,
    hints: [read?.engine === 'postgres' ? 'VACUUM does it there' : 'Name it with --database sqlite:PATH'],
  });
}
