import { dirname, join } from 'node:path';
import { METRIC_PREFIX, METRICS } from '../../domain/observability/catalogue.js';
import { type Check, CheckSkipped } from '../check.js';
import { ensure } from '../ensure.js';
import { makeTask, makeTool, runToEnd, see, steps } from '../make.js';
import { until } from '../until.js';
import type { ObservedSystem } from './context.js';
import { promtool, startPrometheus } from './prometheus.js';
import { dashboardProblems, ruleProblems, rulesFile, shippedRules } from './rule-files.js';

const group = 'Alerts';

/** The rules and dashboards that are shipped, and a real Prometheus that evaluates them. */
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
      const tests = ['rules.test.yml', 'rules.slow.test.yml'].map((name) => join(dirname(file), name));
      const tested = await promtool(['test', 'rules', ...tests]);
      ensure(tested?.code === 0, `A rule does not fire as it should: ${tested?.output}`, tools.rerun);
      return { promtool: 'passed' };
    },
  },
  {
    id: 'prometheus.fires',
    title: 'A real Prometheus sees every metric, fires when a task fails, and resolves when it works again',
    group,
    requires: ['prometheus', 'ephemeral-server', 'admin'],
    isExclusive: true,
    timeoutMs: 120_000,
    async run(live, tools) {
      const { signal } = tools;
      const prometheus = await startPrometheus(live);
      tools.cleanUp('Prometheus', () => prometheus.close());
      const hint = see(live, tools, tools.rerun);
      const wait = (what: string, look: () => Promise<boolean>) =>
        until(what, () => look().catch(() => false), { signal, hint, timeoutMs: live.patienceMs });
      const isFiring = async (name: string) => {
        const { alerts } = await prometheus.ask<{
          alerts: { state: string; labels: { alertname: string } }[];
        }>('alerts', signal);
        return alerts.some(({ state, labels }) => state === 'firing' && labels.alertname === name);
      };
      await wait('the alert Watchdog to fire', () => isFiring('Watchdog'));
      await wait('every metric to be scraped', async () => {
        const names = new Set(await prometheus.ask<string[]>('label/__name__/values', signal));
        return METRICS.filter(
          ({ type, labels }) => type === 'counter' && !Object.values(labels).includes(null),
        ).every(({ name }) => names.has(METRIC_PREFIX + name));
      });
      const tool = await makeTool(live, tools, {
        kind: 'http',
        side_effect: 'read',
        input_schema: {},
        grants: [live.stub.host],
        http: { method: 'GET', url: `${live.stub.url}/\${input.path}` },
      });
      const task = await makeTask(live, tools, {
        params: { path: 'fail' },
        ...steps({ id: 'call', uses: tool.address, with: { path: '${params.path}' } }),
      });
      for (let index = 0; index < 3; index++) await runToEnd(live, tools, task);
      await wait('the alert OrchestratorTasksFailing to fire', () => isFiring('OrchestratorTasksFailing'));
      await runToEnd(live, tools, task, { params: { path: 'work' } });
      await wait('the alert to be resolved', async () => !(await isFiring('OrchestratorTasksFailing')));
      return { fired: 'OrchestratorTasksFailing', resolved: true };
    },
  },
];
