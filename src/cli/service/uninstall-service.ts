import { rmdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InstalledService, ServiceManager } from './manager.js';
import type { RunProgram } from './run-program.js';
import { runSteps } from './run-steps.js';

/**
 * Ends a service and deletes what its installation made. Where nothing can be told to end it (no session, a container),
 * the files go all the same: then nothing starts it.
 * @returns whether the operating system was told.
 * @throws PaoError PAO_SERVICE_COMMAND when it refuses to end it; then the file stays.
 */
export async function uninstallService(
  manager: ServiceManager,
  { name, file }: InstalledService,
  how: { run: RunProgram; signal: AbortSignal },
): Promise<{ told: boolean }> {
  const told = await manager.isUsable();
  const { before, after } = manager.uninstallSteps(name);
  if (told) await runSteps(manager, name, before, how);
  rmSync(file, { force: true });
  // What `systemctl enable` made.
  rmSync(join(dirname(file), 'default.target.wants', `${name}.service`), { force: true });
  for (const folder of [join(dirname(file), 'default.target.wants'), ...emptyAbove(file, manager.id)])
    removeEmpty(folder);
  if (told) await runSteps(manager, name, after, how);
  return { told };
}

/** `systemd/user` and `systemd` may have been made for this one file; `LaunchAgents` is macOS's own. */
const emptyAbove = (file: string, id: ServiceManager['id']): string[] =>
  id === 'systemd' ? [dirname(file), dirname(dirname(file))] : [];

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // Something else is in it, or it is not there.
  }
}
