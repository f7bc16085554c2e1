import { launchd } from './launchd.js';
import type { ServiceManager } from './manager.js';
import { programRunner, type RunProgram } from './run-program.js';
import { systemd } from './systemd.js';

/** What starts programs at login on this machine, and how its commands are run; null where pao knows no way. */
export function managerHere(
  {
    env,
    userHome,
    signal,
  }: {
    env: Readonly<Record<string, string | undefined>>;
    userHome: string;
    signal?: AbortSignal;
  },
  platform: NodeJS.Platform = process.platform,
): { manager: ServiceManager; run: RunProgram } | null {
  const run = programRunner(env, signal);
  if (platform === 'linux') return { manager: systemd({ env, userHome, run }), run };
  if (platform === 'darwin')
    return { manager: launchd({ userHome, uid: process.getuid?.() ?? 0, run }), run };
  return null;
}
