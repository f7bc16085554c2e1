import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeFolder } from '../server/supervisor/make-folder.js';

export interface InitProjectResult {
  /** The data directory of the project. */
  home: string;
  configPath: string;
  /** `kept`: there was a configuration already, and it was not touched. */
  config: 'written' | 'kept';
}

/**
 * Makes a project of a folder: `.pao/` for its data, and `pao.config.yaml` with its time zone.
 * @param options.timezone IANA zone that is offered where a schedule names none.
 */
export async function initProject(options: {
  directory: string;
  timezone: string;
  force: boolean;
}): Promise<InitProjectResult> {
  const home = join(options.directory, '.pao');
  const configPath = join(options.directory, 'pao.config.yaml');
  makeFolder(home);
  // Tokens and the database must not end up in a repository.
  await writeFile(join(home, '.gitignore'), '*\n');
  const present = await readFile(configPath, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (present !== null && !options.force) return { home, configPath, config: 'kept' };
  await writeFile(
    configPath,
    `# Settings of this project; flags and environment variables win over them.\ntimezone: ${JSON.stringify(options.timezone)}\n`,
  );
  return { home, configPath, config: 'written' };
}
