import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { nearest } from '../../domain/nearest.js';

/** A file to look at. */
export interface LintTarget {
  path: string;
  kind: 'code' | 'task';
  /** It was named itself; one that was met in a folder may be none of ours. */
  isNamed: boolean;
  /** Part of pao: never changed by `--fix`. */
  isOwn: boolean;
}

const CODE = /\.([cm]?[jt]sx?)$/i;
const TASKS = /\.(ya?ml|json)$/i;
/** Declarations say nothing about behaviour; tests use the machine's clock as they please. */
const NOT_MET = /\.d\.[cm]?ts$|\.(test|spec)\.[cm]?[jt]sx?$/i;
const NOT_ENTERED = new Set(['node_modules', 'dist', 'build', 'coverage', 'out']);

/** pao's own scheduler: what decides, computes and writes occurrences. Shipped as source (`files` of package.json). */
export const OWN_SOURCES = [
  'src/server/scheduler',
  'src/server/store',
  'src/domain/recurrence',
  'src/domain/recurrence-of.ts',
  'src/domain/schedule.ts',
  'src/domain/clock.ts',
];

/** Where the contracts are written that others may implement. */
export const CONTRACT_SOURCES = [
  'src/server/scheduler/contract.ts',
  'src/server/store/store.ts',
  'src/server/bus/bus.ts',
  'src/server/telemetry/logger.ts',
  'src/domain/clock.ts',
  'src/domain/recurrence/recurrence.ts',
  'src/domain/recurrence/wall-pattern.ts',
];

/**
 * The files of pao's own scheduler.
 * @throws PaoError PAO_SOURCES_MISSING (exit 3) when this installation is without them.
 */
export function ownFiles(packageRoot: string, sources: readonly string[] = OWN_SOURCES): LintTarget[] {
  return sources.flatMap((source) => {
    const path = join(packageRoot, source);
    if (!existsSync(path)) {
      throw new PaoError(
        'PAO_SOURCES_MISSING',
        `This installation of pao is incomplete: ${path} is not there.`,
        {
          exitCode: EXIT.unavailable,
          hints: ['npm install pao'],
        },
      );
    }
    return filesUnder(path, CODE).map(
      (file): LintTarget => ({ path: file, kind: 'code', isNamed: false, isOwn: true }),
    );
  });
}

/**
 * The files that paths mean: a file as it is, a folder with all code and task files in it.
 * @throws PaoError (exit 2) for a path that is not there, or a file of another kind.
 */
export function namedFiles(paths: readonly string[], cwd: string): LintTarget[] {
  const found = new Map<string, LintTarget>();
  for (const shown of paths) {
    const path = resolve(cwd, shown);
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) throw notThere(shown, path);
    if (stats.isDirectory()) {
      for (const file of [...filesUnder(path, CODE), ...filesUnder(path, TASKS)]) {
        if (!found.has(file)) found.set(file, target(file, false));
      }
      continue;
    }
    if (!CODE.test(path) && !TASKS.test(path)) {
      throw new PaoError(
        'PAO_LINT_KIND',
        `${shown} is neither code nor a task file (${extname(path) || 'no ending'}).`,
        {
          exitCode: EXIT.usage,
          hints: ['pao lint-scheduler takes .ts, .js and the like, .yaml, .yml and .json'],
        },
      );
    }
    found.set(path, target(path, true));
  }
  return [...found.values()];
}

/** Task files of a project: in its folder, and in `tasks/` with everything below. */
export function projectTaskFiles(folder: string): LintTarget[] {
  const here = readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && TASKS.test(entry.name) && !isSettings(entry.name))
    .map((entry) => join(folder, entry.name));
  const tasks = join(folder, 'tasks');
  const below = statSync(tasks, { throwIfNoEntry: false })?.isDirectory() ? filesUnder(tasks, TASKS) : [];
  return [...here.sort(), ...below].map((path) => target(path, false));
}

function target(path: string, isNamed: boolean): LintTarget {
  return { path, kind: CODE.test(path) ? 'code' : 'task', isNamed, isOwn: false };
}

function filesUnder(path: string, kind: RegExp): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const child = join(path, entry.name);
      if (entry.isDirectory()) {
        return NOT_ENTERED.has(entry.name) || entry.name.startsWith('.') ? [] : filesUnder(child, kind);
      }
      const isOurs = kind.test(entry.name) && !NOT_MET.test(entry.name) && !isSettings(entry.name);
      return entry.isFile() && isOurs ? [child] : [];
    });
}

const isSettings = (name: string): boolean =>
  /^(package(-lock)?|tsconfig.*)\.json$|^pao\.config\.ya?ml$/.test(name);

function notThere(shown: string, path: string): PaoError {
  const folder = dirname(path);
  const names = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
  const near = nearest(basename(path), names);
  return new PaoError('PAO_PATH_MISSING', `There is no file or folder ${shown}.`, {
    exitCode: EXIT.usage,
    hints: [near === null ? `ls ${dirname(shown)}` : `Did you mean ${join(dirname(shown), near)}?`],
  });
}
