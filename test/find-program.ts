import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { canInstallDebian, installDebian } from './install-debian.js';

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
  if (canInstallDebian()) {
    installDebian(name);
    return `/usr/bin/${name}`;
  }
  throw new Error(`${name} is not installed: apt-get install ${name}, or put one on the PATH.`);
}
