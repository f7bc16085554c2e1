#!/usr/bin/env node
// Sees to it that prometheus and promtool are there: those on the PATH, else Debian's, when we are root.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PROGRAMS = ['prometheus', 'promtool'];

const areThere = () => {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return PROGRAMS.every((name) => folders.some((folder) => existsSync(join(folder, name))));
};

/** @throws Error that says how to get it. */
export function installPrometheus() {
  if (areThere()) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) {
    const apt = (...args) =>
      // Others may install something at this moment.
      execFileSync('apt-get', ['-o', 'DPkg::Lock::Timeout=240', ...args], {
        stdio: ['ignore', 'ignore', 'inherit'],
        env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      });
    const install = () => apt('install', '-y', '--no-install-recommends', 'prometheus');
    try {
      install();
    } catch {
      // The package lists may be old, or not there yet.
      apt('update');
      install();
    }
    if (areThere()) return;
  }
  throw new Error(
    'Prometheus is not installed. As root: apt-get install --no-install-recommends prometheus, or put prometheus and promtool on the PATH.',
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    installPrometheus();
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}
