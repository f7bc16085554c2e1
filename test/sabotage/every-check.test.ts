import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { SUITES } from '../../src/checks/suites.js';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** The sabotage tests of a suite, as text. */
const testsOf = (suite: string) =>
  readdirSync(folder)
    .filter((name) => name.startsWith(suite) && name.endsWith('.test.ts'))
    .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
    .join('\n');

/** Ids that the sabotage tests of a suite name: the second argument of a `sabotage(…)` that stands as a statement. */
const provenIds = (suite: string) =>
  new Set(
    [...testsOf(suite).matchAll(/^\s*sabotage\(\s*\w+,\s*['"]([^'"]+)['"]/gm)].map(([, id]) => id as string),
  );

describe.each(Object.entries(SUITES))('%s', (id, load) => {
  it('has a sabotage test for every check', async () => {
    const { checks } = await load();
    const proven = provenIds(id);
    expect(checks.map((check) => check.id).filter((one) => !proven.has(one))).toEqual([]);
  });

  it('runs each of them, whatever the machine has', () => {
    const conditional =
      /^( *)(?:if|\} else)\b.*\{\n(?:(?:\1 .*)?\n)*?\1 +sabotage\(|\.(?:skip|todo|skipIf|runIf|only)\b/m;
    expect(conditional.exec(testsOf(id))?.[0]).toBeUndefined();
  });

  it('has ids that occur once, needs that exist, and no circle of needs', async () => {
    const suite = await load();
    expect(suite.id).toBe(id);
    const ids = suite.checks.map((check) => check.id);
    expect(ids).toEqual([...new Set(ids)]);
    const done = new Set<string>();
    for (let before = -1; before !== done.size; ) {
      before = done.size;
      for (const { id: one, needs = [] } of suite.checks)
        if (needs.every((need) => done.has(need))) done.add(one);
    }
    expect(ids.filter((one) => !done.has(one))).toEqual([]);
  });

  it('has ids that can be typed, and titles', async () => {
    for (const { id: one, title, group } of (await load()).checks) {
      expect(one).toMatch(/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
      expect(title).not.toBe('');
      expect(group).not.toBe('');
    }
  });
});
