import { closedSeries, MAX_SERIES, METRIC_PREFIX, METRICS } from '../../domain/observability/catalogue.js';
import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { makeTask, makeTool, runToEnd, see, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import { type ObservedSystem, readMetrics, scrape, valueOf } from './context.js';
import { parseExposition } from './exposition.js';
import { promtool } from './prometheus.js';

const group = 'Metrics';
const HINT = 'pao logs --service api --level warn';

/** Metrics: their form, their names, and that they move by what was done. */
export const metricChecks: Check<ObservedSystem>[] = [
  {
    id: 'metrics.exposition',
    title: 'The exposition can be read',
    group,
    requires: ['server'],
    async run(live, tools) {
      const text = await scrape(live, tools.signal);
      let families = 0;
      try {
        families = parseExposition(text).size;
      } catch (error) {
        ensure(false, `The exposition can not be read. ${(error as Error).message}`, see(live, tools, HINT));
      }
      const checked = await promtool(['check', 'metrics'], text);
      ensure(
        checked === null || checked.code === 0,
        `promtool finds fault with the metrics: ${checked?.output}`,
        see(live, tools, HINT),
      );
      return { families, promtool: checked === null ? 'not installed' : 'passed' };
    },
  },
  {
    id: 'metrics.catalogue',
    title: 'Every metric of the catalogue is exposed, and no other of ours',
    group,
    requires: ['server'],
    needs: ['metrics.exposition'],
    async run(live, tools) {
      const families = await readMetrics(live, tools.signal);
      const problems: string[] = [];
      for (const metric of METRICS) {
        const family = families.get(METRIC_PREFIX + metric.name);
        if (family === undefined) problems.push(`${metric.name} is missing`);
        else if (family.help !== metric.help || family.type !== metric.type)
          problems.push(`${metric.name} has another help or type`);
        const expected = metric.type === 'counter' ? (closedSeries(metric)?.length ?? 0) : 0;
        if ((family?.samples.length ?? 0) < expected) problems.push(`${metric.name} does not begin at 0`);
        for (const { labels } of family?.samples ?? []) {
          for (const [label, value] of Object.entries(labels)) {
            if (label === 'le') continue;
            const values = metric.labels[label];
            if (values === undefined || (values !== null && !values.includes(value)))
              problems.push(`${metric.name} has ${label}="${value}"`);
          }
        }
      }
      const known = new Set(METRICS.map(({ name }) => METRIC_PREFIX + name));
      for (const name of families.keys())
        if (name.startsWith(METRIC_PREFIX) && !known.has(name)) problems.push(`${name} is not declared`);
      const series = [...families.values()].reduce((sum, { samples }) => sum + samples.length, 0);
      ensure(
        series <= MAX_SERIES,
        `There are ${series} series; ${MAX_SERIES} is the most.`,
        see(live, tools, HINT),
      );
      ensure(problems.length === 0, problems.join('; '), see(live, tools, HINT), { problems });
      return { metrics: METRICS.length, series };
    },
  },
  {
    id: 'metrics.http',
    title: 'Requests are counted, each once',
    group,
    requires: ['server', 'admin'],
    needs: ['metrics.exposition'],
    isExclusive: true,
    async run(live, tools) {
      const labels = { method: 'GET', route: '/v1/audit' };
      const count = async () => {
        const families = await readMetrics(live, tools.signal);
        return [
          valueOf(families, 'orchestrator_http_requests_total', { ...labels, status_code: '200' }),
          valueOf(families, 'orchestrator_http_request_duration_seconds_count', labels),
        ];
      };
      const before = await count();
      for (let index = 0; index < 3; index++)
        await probe(`${live.url}/v1/audit?limit=1`, { token: live.token, signal: tools.signal });
      const after = await count();
      const moved = after.map((value, index) => value - (before[index] ?? 0));
      // Others may ask the same of a system that is not ours alone.
      const isRight = live.own === null ? moved.every((one) => one >= 3) : moved.every((one) => one === 3);
      ensure(
        isRight,
        `Three requests moved the counter and the histogram by ${moved.join(' and ')}.`,
        see(live, tools, HINT),
        { before, after },
      );
      return { moved };
    },
  },
  {
    id: 'metrics.runs',
    title: 'Runs, steps and tool calls are counted as they ended: success, failure, timeout',
    group,
    requires: ['server', 'admin', 'same-machine'],
    needs: ['metrics.exposition'],
    isExclusive: true,
    async run(live, tools) {
      const tool = (path: string) =>
        makeTool(live, tools, {
          kind: 'http',
          side_effect: 'read',
          input_schema: {},
          grants: [live.stub.host],
          http: { method: 'GET', url: `${live.stub.url}/${path}` },
        });
      const [works, fails, hangs] = [await tool('work'), await tool('fail'), await tool('hang')];
      const runs = (families: Parameters<typeof valueOf>[0]) =>
        ['succeeded', 'dead'].map((outcome) =>
          valueOf(families, 'orchestrator_runs_total', { outcome, trigger: 'manual' }),
        );
      const before = runs(await readMetrics(live, tools.signal));
      for (const { address } of [works, works, fails, hangs]) {
        const task = await makeTask(live, tools, steps({ id: 'call', uses: address, timeout: '1s' }));
        await runToEnd(live, tools, task);
      }
      const seen = async () => {
        const families = await readMetrics(live, tools.signal);
        const calls = (address: string, outcome: string) =>
          valueOf(families, 'orchestrator_external_tool_calls_total', {
            tool: address,
            protocol: 'http',
            outcome,
          });
        return {
          runs: runs(families).map((value, index) => value - (before[index] ?? 0)),
          calls: [
            calls(works.address, 'ok'),
            calls(fails.address, 'http_5xx'),
            calls(hangs.address, 'timeout'),
          ],
          steps: [
            valueOf(families, 'orchestrator_step_success_total', { tool: works.address }),
            valueOf(families, 'orchestrator_step_failure_total', {
              tool: fails.address,
              reason: 'tool_error',
            }),
            valueOf(families, 'orchestrator_step_failure_total', { tool: hangs.address, reason: 'timeout' }),
          ],
        };
      };
      let last = await seen();
      // Workers hand on what they counted every 100 ms.
      await until('the counters to move', async () => (last = await seen()).calls[2] === 1, {
        signal: tools.signal,
        timeoutMs: Math.min(5000, live.patienceMs),
        hint: see(live, tools, HINT),
        seen: () => last,
      });
      last = await seen();
      ensureEqual(
        'What was counted',
        last,
        { runs: [2, 2], calls: [2, 1, 1], steps: [2, 1, 1] },
        see(live, tools, HINT),
      );
      return last;
    },
  },
];
