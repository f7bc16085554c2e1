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
