import { EXIT, PaoError } from '../../domain/errors.js';
import { shellWord } from '../../domain/shell-word.js';
import { moment } from '../running-system.js';
import type { ManagerStep, ServiceManager } from './manager.js';
import type { RunProgram } from './run-program.js';

const LOOK_EVERY_MS = 100;
const GONE_WITHIN_MS = 120_000;

/** A command as it is typed. */
export const typed = ({ command }: ManagerStep): string => command.map(shellWord).join(' ');

/** Runs commands of the operating system in turn. @throws PaoError PAO_SERVICE_COMMAND with what the first one said that failed. */
export async function runSteps(
  manager: ServiceManager,
  name: string,
  steps: readonly ManagerStep[],
  { run, signal }: { run: RunProgram; signal: AbortSignal },
): Promise<void> {
  for (const step of steps) {
    const { code, stdout, stderr } = await run(step.command);
    const { tolerate = [], untilGone = false } = step;
    if (code !== 0 && tolerate !== 'all' && !tolerate.includes(code)) {
      const words = (stderr.trim() || stdout.trim()).split('\n').slice(0, 5).join('\n');
      throw new PaoError('PAO_SERVICE_COMMAND', `${typed(step)} failed (exit code ${code}): ${words}`, {
        exitCode: EXIT.failed,
        hints: ['pao service status', typed(step)],
      });
    }
    if (untilGone) await waitUntilGone(manager, name, signal);
  }
}

async function waitUntilGone(manager: ServiceManager, name: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + GONE_WITHIN_MS;
  while ((await manager.state(name)).enabled && performance.now() < deadline)
    await moment(LOOK_EVERY_MS, signal);
}
