import { EXIT, PaoError } from '../../domain/errors.js';

/** What a database URL names. */
export type DatabaseUrl =
  | { engine: 'sqlite' /** A path, or `:memory:`. */; path: string }
  | { engine: 'postgres'; url: string };

/** Reads a database URL. @returns null when it is none that pao knows. */
export function readDatabaseUrl(url: string): DatabaseUrl | null {
  if (/^postgres(ql)?:\/\//.test(url)) return { engine: 'postgres', url };
  if (!url.startsWith('sqlite:')) return null;
  const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '');
  return path === '' ? null : { engine: 'sqlite', path };
}

/** A database for people: the file, or the URL without its password. */
export function shownDatabase(url: string): string {
  const read = readDatabaseUrl(url);
  if (read?.engine === 'sqlite') return read.path;
  if (!URL.canParse(url)) return 'an invalid URL';
  const shown = new URL(url);
  if (shown.password !== '') shown.password = '***';
  return shown.href;
}

/**
 * A system of several processes needs a database that all of them open: in memory each had one of its own.
 * @throws PaoError PAO_STORE_URL (exit 2).
 */
export function requireShared(url: string): void {
  const read = readDatabaseUrl(url);
  if (read?.engine !== 'sqlite' || read.path !== ':memory:') return;
  throw new PaoError('PAO_STORE_URL', 'A database in memory can not be shared by the processes of pao.', {
    exitCode: EXIT.usage,
    hints: [
      'Leave DATABASE_URL and database_url out: the database is a file of the data directory then',
      'To throw it away afterwards: PAO_HOME=$(mktemp -d) pao start local',
    ],
  });
}
