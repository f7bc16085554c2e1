import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/**
 * A program that tests need: looked for on the PATH, else installed from Debian's package of the same name when we may.
 * @returns its path. @throws Error that says how to get it.
 */
export function findProgram(name: string): string {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const install = () =>
      execFileSync('apt-get', ['install', '-y', '--no-install-recommends', name], {
        stdio: 'ignore',
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    try {
      install();
    } catch {
      execFileSync('apt-get', ['update'], { stdio: 'ignore' });
      install();
    }
    return `/usr/bin/${name}`;
  }
  throw new Error(`${name} is not installed: apt-get install ${name}, or put one on the PATH.`);
}
