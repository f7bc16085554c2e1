import { METRIC_PREFIX, METRICS } from '../../domain/observability/catalogue.js';
import { parseDuration } from '../../domain/duration.js';
import type { Check, CheckTools } from '../check.js';
import { CheckWarning } from '../check.js';
import { ensure } from '../ensure.js';
import { makeTask, makeTool, runToEnd, see, steps } from '../make.js';
import { until } from '../until.js';
import { type ObservedSystem, readMetrics, valueOf } from './context.js';
import type { Prometheus } from './prometheus.js';
import { normalExpression } from './promql.js';
import { shippedRules } from './rule-files.js';

const group = 'Prometheus';
const requires = ['prometheus'] as const;
/** What a scrape and an evaluation are given beyond their intervals. */
const SLACK_MS = 5000;
const HINTS = {
  targets:
    'pao agent create prometheus --scope metrics:read, for a scrape job as in ops/prometheus/prometheus.yml',
  rules: 'rule_files in prometheus.yml must name ops/prometheus/rules.yml; see docs/runbooks/Watchdog.md',
};

interface LoadedRule {
  name: string;
  query: string;
  health: string;
  lastError?: string;
  state?: string;
}

/** Held to a real Prometheus: one of the suite's own, or the one that watches the system anyway. */
export const prometheusChecks: Check<ObservedSystem>[] = [
  {
    id: 'prometheus.scrapes',
    title: 'Prometheus scrapes this system, and has every metric of it',
    group,
    requires: [...requires, 'server'],
    timeoutMs: 180_000,
    async run(live, tools) {
      const prometheus = await live.prometheus();
      const families = await readMetrics(live, tools.signal);
      const started = valueOf(families, 'process_start_time_seconds', {});
      // By the second its process started in: addresses have many names.
      const ours = `process_start_time_seconds == ${started} and on (job, instance) orchestrator_http_requests_in_flight`;
      const found = await waitFor(
        live,
        tools,
        prometheus,
        ['a scrape of this system', HINTS.targets],
        async () => {
          const [sample] = await query(prometheus, `time() - timestamp(${ours})`, tools.signal);
          return sample;
        },
      );
      const { job, instance } = found.metric;
      ensure(job === 'pao', `The scrape job is named ${job}; the rules ask for pao.`, HINTS.targets, {
        instance,
      });
      const interval = await intervalMs(prometheus, tools.signal);
      const age = Number(found.value[1]) * 1000;
      ensure(
        age <= 2 * interval + 1000,
        `The last sample is ${Math.round(age / 1000)} s old, more than two scrapes.`,
        see(live, tools, 'pao check observability --only metrics.exposition'),
        { instance },
      );
      const names = new Set(await prometheus.ask<string[]>('label/__name__/values', tools.signal));
      // Those with an open label, or that tell of what has not happened yet, may have no series.
      const missing = METRICS.filter(
        ({ name, type, labels }) =>
          type === 'counter' && !Object.values(labels).includes(null) && !names.has(METRIC_PREFIX + name),
      ).map(({ name }) => name);
      ensure(
        missing.length === 0,
        `Prometheus has no ${missing.join(', ')}: is it dropped by relabelling?`,
        see(live, tools, 'pao check observability --only metrics.catalogue'),
        { missing },
      );
      return { job, instance, sample_age_ms: Math.round(age), scrape_interval_ms: interval };
    },
  },
  {
    id: 'prometheus.rules',
    title: 'Prometheus has the shipped rules, evaluates each, and its Watchdog fires',
    group,
    requires,
    timeoutMs: 180_000,
    async run(live, tools) {
      const prometheus = await live.prometheus();
      const shipped = shippedRules(live.packageRoot);
      const hint = HINTS.rules;
      await waitFor(live, tools, prometheus, ['the alert Watchdog to fire', hint], () =>
        isFiring(prometheus, 'Watchdog', tools.signal),
      );
      const loaded = await loadedRules(prometheus, tools.signal);
      const missing = shipped.map(nameOf).filter((name) => !loaded.has(name));
      ensure(missing.length === 0, `Prometheus has no rule ${missing.join(', ')}.`, hint, { missing });
      const ill = [...loaded.values()].filter(({ health }) => health === 'err');
      ensure(
        ill.length === 0,
        ill.map(({ name, lastError }) => `${name} can not be evaluated: ${lastError}`).join('; '),
        hint,
      );
      const changed = shipped
        .filter(({ expr, ...rule }) => {
          const query = loaded.get(nameOf(rule))?.query ?? '';
          return normalExpression(query) !== normalExpression(expr);
        })
        .map(nameOf);
      if (changed.length > 0)
        throw new CheckWarning(`These rules are not as shipped: ${changed.join(', ')}.`, hint, { changed });
      return { rules: loaded.size, watchdog: 'firing' };
    },
  },
  {
    id: 'prometheus.fires',
    title: 'An alert fires in Prometheus when a task fails, and is resolved when it works again',
    group,
    requires: [...requires, 'server', 'admin', 'same-machine'],
    needs: ['prometheus.scrapes', 'prometheus.rules'],
    // The alert may reach people.
    isDisruptive: true,
    isExclusive: true,
    timeoutMs: 240_000,
    async run(live, tools) {
      const prometheus = await live.prometheus();
      const hint = 'pao check observability --only rules.*';
      const failing = () => isFiring(prometheus, 'OrchestratorTasksFailing', tools.signal);
      ensure(
        !(await failing()),
        'A task fails already: that another one does could not be seen.',
        see(live, tools, 'pao run list --status dead'),
      );
      const tool = await makeTool(live, tools, {
        kind: 'http',
        side_effect: 'read',
        input_schema: {},
        grants: [live.stub.host],
        http: { method: 'GET', url: `${live.stub.url}/\${input.path}` },
      });
      const task = await makeTask(live, tools, {
        params: { path: 'fail' },
        monitor: { notify_after: 2 },
        ...steps({ id: 'call', uses: tool.address, with: { path: '${params.path}' } }),
      });
      for (let index = 0; index < 2; index++) await runToEnd(live, tools, task);
      await waitFor(live, tools, prometheus, ['the alert OrchestratorTasksFailing to fire', hint], failing);
      await runToEnd(live, tools, task, { params: { path: 'work' } });
      await waitFor(
        live,
        tools,
        prometheus,
        ['the alert to be resolved', hint],
        async () => !(await failing()),
      );
      return { fired: 'OrchestratorTasksFailing', resolved: true };
    },
  },
];

interface Sample {
  metric: Record<string, string>;
  value: [number, string];
}

async function query(prometheus: Prometheus, expression: string, signal: AbortSignal): Promise<Sample[]> {
  const path = `query?query=${encodeURIComponent(expression)}`;
  return (await prometheus.ask<{ result: Sample[] }>(path, signal)).result;
}

async function isFiring(prometheus: Prometheus, name: string, signal: AbortSignal): Promise<boolean> {
  const { alerts } = await prometheus.ask<{ alerts: { state: string; labels: { alertname: string } }[] }>(
    'alerts',
    signal,
  );
  return alerts.some(({ state, labels }) => state === 'firing' && labels.alertname === name);
}

async function loadedRules(prometheus: Prometheus, signal: AbortSignal): Promise<Map<string, LoadedRule>> {
  const { groups } = await prometheus.ask<{ groups: { rules: LoadedRule[] }[] }>('rules', signal);
  return new Map(groups.flatMap(({ rules }) => rules).map((rule) => [rule.name, rule]));
}

/** The longest time between two scrapes of the job, milliseconds. */
async function intervalMs(prometheus: Prometheus, signal: AbortSignal): Promise<number> {
  const { activeTargets } = await prometheus.ask<{
    activeTargets: { labels: { job?: string }; scrapeInterval: string }[];
  }>('targets?state=active', signal);
  const own = activeTargets.filter(({ labels }) => labels.job === 'pao');
  return Math.max(1000, ...own.map(({ scrapeInterval }) => parseDuration(scrapeInterval)));
}

/** Waits as long as a scrape and an evaluation may take; one that does not answer yet may do so later. */
async function waitFor<T>(
  live: ObservedSystem,
  tools: CheckTools,
  prometheus: Prometheus,
  [what, hint]: [what: string, hint: string],
  look: () => Promise<T>,
): Promise<NonNullable<T>> {
  const { signal } = tools;
  const interval = await intervalMs(prometheus, signal).catch(() => 1000);
  let error: unknown;
  const found = await until<T>(
    what,
    () =>
      look().catch((reason: unknown) => {
        error = reason;
        return null;
      }),
    {
      signal,
      hint: see(live, tools, hint),
      timeoutMs: Math.max(live.patienceMs, 3 * interval + SLACK_MS),
      seen: () => (error === undefined ? {} : { error: String(error) }),
    },
  );
  return found as NonNullable<T>;
}

const nameOf = ({ record, alert }: { record?: string; alert?: string }) => record ?? alert ?? '';
