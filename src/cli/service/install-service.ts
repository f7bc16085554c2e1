import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { shellWord } from '../../domain/shell-word.js';
import { makeFolder } from '../../server/supervisor/make-folder.js';
import { type RunFile, readRunFile } from '../../server/supervisor/run-file.js';
import { changedLines, type LineChange } from './changed-lines.js';
import { homeKey, serviceOf } from './find-service.js';
import type { ServiceManager } from './manager.js';
import type { ServiceProgram } from './program.js';
import type { RunProgram } from './run-program.js';
import { runSteps } from './run-steps.js';
import { waitForService } from './wait-for-service.js';

/** What `pao service install` would write and run. */
export interface InstallPlan {
  name: string;
  file: string;
  content: string;
  status: 'new' | 'unchanged' | 'updated';
  /** Of an update: the lines that differ. */
  changes: LineChange[];
}

export interface InstallResult {
  status: 'installed' | 'unchanged' | 'updated';
  /** Process of the pao that the service started. */
  pid: number;
  /** Process that ran before by hand and was stopped; null: none. */
  replaced: number | null;
}

/**
 * What an installation would do; changes nothing.
 * @throws PaoError PAO_SERVICE_TAKEN when another data directory has the name, PAO_SERVICE_NAMED when this one has another
 * name, PAO_SERVICE_FOREIGN when the file is not pao's.
 */
export function planInstall(
  manager: ServiceManager,
  program: ServiceProgram,
  wanted: string | undefined,
): InstallPlan {
  const mine = serviceOf(manager, program.home);
  const name = wanted === undefined ? (mine?.name ?? 'pao') : nameOf(wanted);
  if (mine !== null && mine.name !== name) {
    throw new PaoError('PAO_SERVICE_NAMED', `${program.home} is started by ${mine.file} already.`, {
      hints: ['pao service uninstall', `pao service install --name ${shellWord(wanted ?? name)}`],
    });
  }
  const there = manager.installed().find((one) => one.name === name);
  const file = manager.fileOf(name);
  if (there !== undefined && there.facts === null) {
    throw new PaoError('PAO_SERVICE_FOREIGN', `${file} is there, and pao did not write it.`, {
      hints: [`mv ${shellWord(file)} ${shellWord(`${file}.old`)}`, 'pao service install --name mine'],
    });
  }
  if (there?.facts && homeKey(there.facts.home) !== homeKey(program.home)) {
    throw new PaoError('PAO_SERVICE_TAKEN', `${file} starts pao on ${there.facts.home}.`, {
      hints: [`pao service install --name ${suggestName(program.home)}`],
    });
  }
  const content = manager.render(program, name);
  const before = there === undefined ? null : readFileSync(file, 'utf8');
  const status = before === null ? 'new' : before === content ? 'unchanged' : 'updated';
  return { name, file, content, status, changes: before === null ? [] : changedLines(before, content) };
}

/**
 * Writes the file, has it started at login and starts it now; waits until that pao is ready.
 * @throws PaoError PAO_SERVICE_COMMAND when the operating system refuses, PAO_SERVICE_START when what it started ends again.
 */
export async function installService(options: {
  manager: ServiceManager;
  program: ServiceProgram;
  plan: InstallPlan;
  run: RunProgram;
  signal: AbortSignal;
  /** A pao that was started by hand runs on the data directory: asks, and stops it. */
  handOver: (running: RunFile) => Promise<void>;
}): Promise<InstallResult> {
  const { manager, program, plan, signal } = options;
  await manager.assertUsable(program);
  const before = await manager.state(plan.name);
  const running = readRunFile(program.home);
  const byHand = running !== null && running.pid !== before.pid ? running : null;
  if (byHand !== null) await options.handOver(byHand);
  makeFolder(join(program.home, 'logs'));
  const isChanged = plan.status !== 'unchanged';
  if (isChanged) writeWhole(plan.file, plan.content);
  const isUp = before.enabled && before.active === 'running' && !isChanged;
  if (!isUp) await runSteps(manager, plan.name, manager.installSteps(plan.name, before, isChanged), options);
  const { pid } = await waitForService(manager, plan.name, program.home, signal);
  return {
    status: plan.status === 'new' ? 'installed' : plan.status,
    pid,
    replaced: byHand?.pid ?? null,
  };
}

/** Short names begin with `pao`, so that they are found again. */
function nameOf(wanted: string): string {
  if (!/^[\w-]{1,50}$/.test(wanted) || wanted === 'pao-') {
    throw new PaoError('PAO_SERVICE_NAME', `"${wanted}" can not be the name of a service.`, {
      exitCode: EXIT.usage,
      hints: ['pao service install --name work   (letters, digits, - and _)'],
    });
  }
  return wanted === 'pao' || wanted.startsWith('pao-') ? wanted : `pao-${wanted}`;
}

/** The folder of a project (`work/.pao`), or that of the data. */
function suggestName(home: string): string {
  const folder = basename(home) === '.pao' ? basename(dirname(home)) : basename(home);
  return folder.replace(/\W+/g, '-').replace(/^-+|-+$/g, '') || 'second';
}

function writeWhole(file: string, content: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o755 });
  writeFileSync(`${file}.new`, content, { mode: 0o644 });
  renameSync(`${file}.new`, file);
}
