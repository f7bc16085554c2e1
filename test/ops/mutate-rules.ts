import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { promtool } from '../../src/checks/observability/prometheus.js';
import type { Rule } from '../../src/checks/observability/rule-files.js';

/** A rule with one mistake in it. */
export interface Mutant {
  alert: string;
  /** What is wrong, in words. */
  change: string;
  rule: Rule;
}

/** A test of `promtool test rules`; in the files of edges its name is that of the alert. */
interface RuleTest {
  name: string;
}

/** A comparison with a number, and one with another series. */
const COMPARISON = /(==|!=|>=|<=|>|<)(\s*)(-?\d[\d.]*(?:e\d+)?(?: \* [\d.]+)?)/g;
const BETWEEN_SERIES = / ([<>]) (?=sum|max|on )/g;
const METRIC = /\b(?:job(?:_\w+)?:)?(?:orchestrator|nodejs|process)_[\w:]+|\bup\b/g;
const FLIPPED: Record<string, string> = {
  '>': '<',
  '<': '>',
  '>=': '<',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};

/** Every small mistake in an alert that its tests should notice. */
export function mutantsOf(rule: Rule & { alert: string }): Mutant[] {
  const { alert, expr } = rule;
  const mutant = (change: string, changed: Partial<Rule>): Mutant => ({
    alert,
    change,
    rule: { ...rule, ...changed },
  });
  const all = [mutant('never fires', { expr: `(${expr}) and vector(0) == 1` })];
  if ((rule.for ?? '0s') !== '0s') all.push(mutant('without for', { for: '0s' }));
  const replaced = (match: RegExpMatchArray, text: string) =>
    expr.slice(0, match.index) + text + expr.slice((match.index ?? 0) + match[0].length);
  for (const match of expr.matchAll(COMPARISON)) {
    const [whole, operator = '', space = '', number = ''] = match;
    all.push(mutant(`${whole} flipped`, { expr: replaced(match, `${FLIPPED[operator]}${space}${number}`) }));
    const isUpper = operator.startsWith('<');
    const harder = number === '0' ? '1e12' : isUpper ? `(${number}) / 10` : `(${number}) * 10`;
    all.push(mutant(`${whole} harder`, { expr: replaced(match, `${operator}${space}${harder}`) }));
    if (number === '0' || operator === '==') continue;
    const easier = isUpper ? `(${number}) * 4` : `(${number}) / 4`;
    all.push(mutant(`${whole} easier`, { expr: replaced(match, `${operator}${space}${easier}`) }));
  }
  for (const match of expr.matchAll(BETWEEN_SERIES))
    all.push(mutant(`${match[1]} flipped`, { expr: replaced(match, ` ${FLIPPED[match[1] as string]} `) }));
  for (const match of expr.matchAll(METRIC))
    all.push(mutant(`${match[0]} renamed`, { expr: replaced(match, `${match[0]}_x`) }));
  return all;
}

/**
 * Runs the tests of every mutant, all of them in a few processes of promtool.
 * @param records the recording rules; each mutant has those that it asks for.
 * @param tests a file of tests, as text.
 * @returns those whose tests pass all the same.
 */
export async function survivors(
  mutants: readonly Mutant[],
  records: readonly Rule[],
  tests: string,
  processes = 2,
): Promise<Mutant[]> {
  const file = parse(tests) as { evaluation_interval: string; tests: RuleTest[] };
  const folder = mkdtempSync(join(tmpdir(), 'pao-mutants-'));
  try {
    const files = mutants.map(({ alert, rule }, index) => {
      const rules = `${index}.rules.yml`;
      writeFileSync(
        join(folder, rules),
        stringify({
          groups: [
            { name: 'records', rules: neededBy(rule.expr, records) },
            { name: 'alerts', rules: [rule] },
          ],
        }),
      );
      const own = file.tests.filter(({ name }) => name === alert);
      const path = join(folder, `${index}.test.yml`);
      writeFileSync(path, stringify({ ...file, rule_files: [rules], tests: own }));
      return path;
    });
    const shares = Array.from({ length: processes }, (_, at) =>
      files.filter((_file, index) => index % processes === at),
    );
    const passed = (await Promise.all(shares.filter((share) => share.length > 0).map(passing))).flat();
    return mutants.filter((_, index) => passed.includes(files[index] as string));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns the test files that passed. */
async function passing(files: readonly string[]): Promise<string[]> {
  const output = (await promtool(['test', 'rules', ...files]))?.output ?? '';
  const asked = output.split('Unit Testing: ').slice(1);
  if (asked.length !== files.length) throw new Error(`promtool ended early: ${output.slice(-500)}`);
  return asked.filter((one) => one.includes('SUCCESS')).map((one) => one.split('\n')[0]?.trim() ?? '');
}

/** The recording rules that an expression asks for, and those that they ask for, in their order. */
function neededBy(expression: string, records: readonly Rule[]): Rule[] {
  const needed = new Set<Rule>();
  const add = (expr: string) => {
    for (const one of records) {
      if (needed.has(one) || !expr.includes(one.record as string)) continue;
      needed.add(one);
      add(one.expr);
    }
  };
  add(expression);
  return records.filter((one) => needed.has(one));
}
