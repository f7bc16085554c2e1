import { dirname, join } from 'node:path';
import { type Check, CheckSkipped } from '../check.js';
import { ensure } from '../ensure.js';
import type { ObservedSystem } from './context.js';
import { promtool } from './prometheus.js';
import { dashboardProblems, ruleProblems, rulesFile, shippedRules } from './rule-files.js';

const group = 'Alerts';

/** The rules and dashboards that are shipped. */
export const alertChecks: Check<ObservedSystem>[] = [
  {
    id: 'rules.contract',
    title: 'Rules and dashboards ask only for what is exposed, and each alert has its page',
    group,
    async run({ packageRoot }, tools) {
      const problems = [...ruleProblems(packageRoot), ...dashboardProblems(packageRoot)];
      ensure(problems.length === 0, problems.join('; '), tools.rerun, { problems });
      return { rules: shippedRules(packageRoot).length };
    },
  },
  {
    id: 'rules.fire',
    title: 'Each alert rule is seen to fire in its unit test',
    group,
    timeoutMs: 180_000,
    async run({ packageRoot }, tools) {
      const file = rulesFile(packageRoot);
      const checked = await promtool(['check', 'rules', file]);
      if (checked === null) {
        throw new CheckSkipped(
          'promtool is not installed: the rules were read, and not evaluated.',
          'apt-get install --no-install-recommends prometheus',
        );
      }
      ensure(checked.code === 0, `promtool finds fault with the rules: ${checked.output}`, tools.rerun);
      const tests = ['rules.test.yml', 'rules.edges.test.yml', 'rules.slow.test.yml'];
      const tested = await Promise.all(
        tests.map((name) => promtool(['test', 'rules', join(dirname(file), name)])),
      );
      const bad = tested.find((one) => one?.code !== 0);
      ensure(bad === undefined, `A rule does not fire as it should: ${bad?.output}`, tools.rerun);
      return { promtool: 'passed' };
    },
  },
];
