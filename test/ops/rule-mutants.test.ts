import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { installPrometheus } from '../../scripts/install-prometheus.mjs';
import { type Rule, shippedRules } from '../../src/checks/observability/rule-files.js';
import { mutantsOf, survivors } from './mutate-rules.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const isAlert = (rule: Rule): rule is Rule & { alert: string } => rule.alert !== undefined;
const rules = shippedRules(root);
const records = rules.filter(({ record }) => record !== undefined);
/** It is always firing: there is nothing to get wrong but that. */
const alerts = rules.filter(isAlert).filter(({ alert }) => alert !== 'Watchdog');
const files = ['rules.edges.test.yml', 'rules.slow.test.yml'].map((name) =>
  readFileSync(`${root}/ops/prometheus/${name}`, 'utf8'),
);

beforeAll(() => installPrometheus());

it('every small mistake in an alert rule makes its tests fail', { timeout: 300_000 }, async () => {
  const asked: string[] = [];
  for (const tests of files) {
    const tested = alerts.filter(({ alert }) => tests.includes(`  - name: ${alert}\n`));
    const mutants = tested.flatMap(mutantsOf);
    const left = await survivors(mutants, records, tests);
    expect(left.map(({ alert, change }) => `${alert}: ${change}`)).toEqual([]);
    // The tests notice the mistakes, and nothing else.
    const unchanged = tested.map((rule) => ({ alert: rule.alert, change: 'none', rule }));
    expect(await survivors(unchanged, records, tests)).toEqual(unchanged);
    asked.push(...mutants.map(({ alert }) => alert));
  }
  expect([...new Set(asked)].sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  expect(asked.length).toBeGreaterThan(150);
});
