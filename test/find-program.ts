import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { canInstallDebian, installDebian } from './install-debian.js';

/**
 * A program that tests need: looked for on the PATH, else installed from Debian when we may.
 * @param from the package it is in, when that has another name.
 * @returns its path. @throws Error that says how to get it.
 */
export function findProgram(name: string, from = name): string {
  const found = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path));
  if (found !== undefined) return found;
  if (canInstallDebian()) {
    installDebian(from);
    return `/usr/bin/${name}`;
  }
  throw new Error(`${name} is not installed: apt-get install ${from}, or put one on the PATH.`);
}
