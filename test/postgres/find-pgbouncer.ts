import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * Finds PgBouncer on this machine, or installs Debian's package as root.
 * @throws Error that says what to do.
 */
export function findPgBouncer(): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin'];
  const look = () => folders.map((folder) => join(folder, 'pgbouncer')).find((path) => existsSync(path));
  const found = look();
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    execFileSync('apt-get', ['install', '-y', '--no-install-recommends', 'pgbouncer'], {
      env,
      stdio: 'pipe',
    });
  }
  const installed = look();
  if (installed === undefined) throw new Error('There is no pgbouncer to test with: install it.');
  return installed;
}
