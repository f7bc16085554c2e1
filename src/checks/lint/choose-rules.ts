import { EXIT, invalidInput, PaoError, type Problem } from '../../domain/errors.js';
import { nearest } from '../../domain/nearest.js';
import type { Severity } from './finding.js';
import { RULES } from './rules.js';

/** What a person can say about a rule in `pao.config.yaml`. */
export type RuleSetting = 'off' | Severity;

/** The rules that run, and how bad their findings are. */
export type ChosenRules = ReadonlyMap<string, Severity>;

/**
 * Which rules run: all but those switched off in the settings; `only` and `skip` choose among them (`*` stands for any text).
 * @throws PaoError (exit 2) for a rule that there is not, with the nearest one.
 */
export function chooseRules(options: {
  only: readonly string[];
  skip: readonly string[];
  settings: Readonly<Record<string, RuleSetting>>;
  /** Where the settings are from, for messages. */
  settingsFile: string | null;
}): ChosenRules {
  const { only, skip, settings, settingsFile } = options;
  const unknown = Object.keys(settings).filter((name) => !RULES.some(({ id }) => id === name));
  if (unknown.length > 0) {
    const problems = unknown.map((name): Problem => {
      const near = nearest(name, ids());
      const pointer = `/lint/rules/${name}`;
      const message = `there is no rule "${name}" (set by ${settingsFile ?? 'the configuration'})`;
      return near === null ? { pointer, message } : { pointer, message, hint: `Did you mean "${near}"?` };
    });
    throw invalidInput('The configuration is not valid.', problems, ['pao lint-scheduler --list']);
  }
  const wanted = only.length === 0 ? null : new Set(only.flatMap(matching));
  const leftOut = new Set(skip.flatMap(matching));
  const chosen = new Map<string, Severity>();
  for (const { id, severity } of RULES) {
    const setting = settings[id] ?? severity;
    // Who asks for a rule by name gets it, also when the settings switch it off.
    if (wanted === null ? setting === 'off' : !wanted.has(id)) continue;
    if (!leftOut.has(id)) chosen.set(id, setting === 'off' ? severity : setting);
  }
  return chosen;
}

const ids = (): string[] => RULES.map(({ id }) => id);

function matching(pattern: string): string[] {
  const source = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  const found = ids().filter((id) => new RegExp(`^${source}$`).test(id));
  if (found.length > 0) return found;
  const near = nearest(pattern, ids());
  throw new PaoError('PAO_RULE_UNKNOWN', `There is no rule "${pattern}".`, {
    exitCode: EXIT.usage,
    hints: [...(near === null ? [] : [`Did you mean ${near}?`]), 'pao lint-scheduler --list'],
  });
}
