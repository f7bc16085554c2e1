import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Where the operator's own token lies; `cli/home.ts` reads it. */
export const credentialsFile = (home: string): string => join(home, 'credentials.json');

/** Writes it whole or not at all, readable by its owner alone. */
export function writeCredentials(home: string, credentials: { url: string; token: string }): string {
  const file = credentialsFile(home);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600 });
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return file;
}
