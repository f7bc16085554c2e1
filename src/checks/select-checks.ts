import { EXIT, PaoError } from '../domain/errors.js';
import { nearest } from '../domain/nearest.js';
import type { Check } from './check.js';

/** Which checks of a suite run, and which are left out on purpose. */
export interface Selection<Context> {
  /** In the order of the suite. */
  checks: Check<Context>[];
  /** Ids `--skip` names: they stay in the report, as skipped. */
  leftOut: ReadonlySet<string>;
}

/**
 * Chooses checks by id; `*` stands for any text (`recovery.*`). What a chosen check needs is chosen with it.
 * @throws PaoError PAO_CHECK_UNKNOWN (exit 2) with the nearest id for one that fits nothing.
 */
export function selectChecks<Context>(
  checks: readonly Check<Context>[],
  { only, skip, command }: { only: readonly string[]; skip: readonly string[]; command: string },
): Selection<Context> {
  const match = (patterns: readonly string[]) =>
    new Set(patterns.flatMap((pattern) => idsOf(checks, pattern, command)));
  const leftOut = match(skip);
  const wanted = only.length === 0 ? new Set(checks.map(({ id }) => id)) : match(only);
  for (const id of wanted) {
    for (const needed of checks.find((check) => check.id === id)?.needs ?? []) wanted.add(needed);
  }
  return { checks: checks.filter(({ id }) => wanted.has(id)), leftOut };
}

function idsOf<Context>(checks: readonly Check<Context>[], pattern: string, command: string): string[] {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  const fits = new RegExp(`^${source}$`);
  const found = checks.map(({ id }) => id).filter((id) => fits.test(id));
  if (found.length > 0) return found;
  const near = nearest(pattern, [...checks.map(({ id }) => id), ...new Set(checks.map(groupPattern))]);
  throw new PaoError('PAO_CHECK_UNKNOWN', `There is no check "${pattern}".`, {
    exitCode: EXIT.usage,
    hints: [...(near === null ? [] : [`Did you mean ${near}?`]), `${command} --list`],
  });
}

const groupPattern = ({ id }: { id: string }) => `${id.split('.')[0]}.*`;
