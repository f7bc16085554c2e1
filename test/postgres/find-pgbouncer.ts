import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { canInstallDebian, installDebian } from '../install-debian.js';

/**
 * Finds PgBouncer on this machine, or installs Debian's package as root.
 * @throws Error that says what to do.
 */
export function findPgBouncer(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  const look = () => folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  const found = look();
  if (found !== undefined) return found;
  if (canInstallDebian()) installDebian('pgbouncer');
  const installed = look();
  if (installed === undefined) throw new Error('There is no pgbouncer to test with: install it.');
  return installed;
}
