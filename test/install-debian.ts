import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Held by whoever installs: two files of tests may need something at the same moment, and apt turns the second one away. */
const LOCK = '/var/cache/apt/pao-tests.lock';
/** How long others who install something on this machine are waited for, seconds. */
const PATIENCE_S = 240;

/** Whether packages of Debian can be installed here: as root, where there is apt. */
export const canInstallDebian = (): boolean =>
  process.getuid?.() === 0 && existsSync('/usr/bin/apt-get') && existsSync('/usr/bin/flock');

/** Installs a package of Debian, one at a time over all processes. @throws Error when that is not possible. */
export function installDebian(name: string): void {
  const apt = (...args: string[]) =>
    execFileSync('flock', [LOCK, 'apt-get', '-o', `DPkg::Lock::Timeout=${PATIENCE_S}`, ...args], {
      stdio: 'pipe',
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  const install = () => apt('install', '-y', '--no-install-recommends', name);
  try {
    install();
  } catch {
    // The package lists may be old, or not there yet.
    apt('update');
    install();
  }
}
