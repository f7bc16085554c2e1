import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { EXIT, PaoError } from '../domain/errors.js';

/** What the data directory depends on. */
export interface HomeSituation {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  /** The person's home directory; empty when there is none. */
  userHome: string;
}

/**
 * The data directory (interfaces.md): PAO_HOME, else the nearest `.pao/` upward, else the XDG data directory.
 * The directory need not exist.
 * @throws PaoError PAO_HOME_UNKNOWN when nothing says where it is.
 */
export function dataDirectory({ env, cwd, userHome }: HomeSituation): string {
  if (env['PAO_HOME']) return resolve(cwd, env['PAO_HOME']);
  const project = nearestProject(cwd);
  if (project) return project;
  const data = env['XDG_DATA_HOME'];
  // The XDG specification: a relative path is invalid and is to be ignored.
  if (data && isAbsolute(data)) return join(data, 'pao');
  if (userHome && isAbsolute(userHome)) return join(userHome, '.local', 'share', 'pao');
  throw new PaoError('PAO_HOME_UNKNOWN', 'There is no home directory to keep data in.', {
    exitCode: EXIT.unavailable,
    hints: ['export PAO_HOME=/path/to/a/directory'],
  });
}

function nearestProject(from: string): string | null {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const candidate = join(folder, '.pao');
    if (isDirectory(candidate)) return candidate;
    if (folder === dirname(folder)) return null;
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

/** The file that holds the URL and the token of the local administrator. */
export function credentialsPath(home: string): string {
  return join(home, 'credentials.json');
}

/** Where the server is and how to prove who we are. */
export interface Credentials {
  url: string;
  token: string;
}

/**
 * The credentials `pao start local` left in the data directory.
 * @returns null when there are none.
 * @throws PaoError PAO_CREDENTIALS_OPEN when others may read the file, PAO_CREDENTIALS_INVALID when it is not ours.
 */
export function readCredentials(home: string): Credentials | null {
  const path = credentialsPath(home);
  let text: string;
  try {
    const { mode } = statSync(path);
    // Windows has no such bits: every file looks like 0666 there.
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) throw openToOthers(path, mode);
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof PaoError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new PaoError('PAO_CREDENTIALS_UNREADABLE', `${path} cannot be read (${code ?? String(error)}).`, {
      exitCode: EXIT.forbidden,
      hints: [`ls -l ${path}`],
      cause: error,
    });
  }
  const value = parse(text);
  if (value === null) {
    throw new PaoError('PAO_CREDENTIALS_INVALID', `${path} does not hold {"url", "token"}.`, {
      exitCode: EXIT.usage,
      hints: [`rm ${path}`, 'pao start local'],
    });
  }
  return value;
}

function openToOthers(path: string, mode: number): PaoError {
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  return new PaoError('PAO_CREDENTIALS_OPEN', `${path} may be read by others (mode ${octal}).`, {
    exitCode: EXIT.forbidden,
    hints: [`chmod 600 ${path}`],
  });
}

function parse(text: string): Credentials | null {
  try {
    const value = JSON.parse(text) as Partial<Credentials> | null;
    return typeof value?.url === 'string' && typeof value.token === 'string'
      ? { url: value.url, token: value.token }
      : null;
  } catch {
    return null;
  }
}
