import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { parseExposition } from '../../src/checks/observability/exposition.js';
import {
  contractProblems,
  dashboardProblems,
  ruleProblems,
  shippedDashboards,
  shippedRules,
} from '../../src/checks/observability/rule-files.js';
import { LIMITS } from '../../src/domain/observability/limits.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const rules = shippedRules(root);
const expressionOf = (alert: string) => rules.find((rule) => rule.alert === alert)?.expr ?? '';

describe('the alert rules', () => {
  it('name only what is exposed, and say what a person needs', () => {
    expect(ruleProblems(root)).toEqual([]);
    expect(rules.filter(({ alert }) => alert !== undefined).length).toBeGreaterThanOrEqual(40);
  });

  it('each have a unit test that sees them fire', () => {
    const tests = ['rules.test.yml', 'rules.edges.test.yml', 'rules.slow.test.yml']
      .map((file) => readFileSync(`${root}/ops/prometheus/${file}`, 'utf8'))
      .join('\n');
    const named = [...tests.matchAll(/alertname(?:=~?"|: )([\w|.*]+)/g)].flatMap(([, names = '']) =>
      names.split('|'),
    );
    const untested = rules.flatMap(({ alert }) => {
      if (alert === undefined) return [];
      return named.some((name) => new RegExp(`^${name}$`).test(alert)) ? [] : [alert];
    });
    expect(untested).toEqual([]);
  });

  it.each([
    ['OrchestratorSchedulerLagHigh', LIMITS.schedulerLagWarnSeconds],
    ['OrchestratorSchedulerLagCritical', LIMITS.schedulerLagCriticalSeconds],
    ['OrchestratorSchedulerStalled', LIMITS.schedulerTickFailSeconds],
    ['OrchestratorQueueBacklog', LIMITS.queueDepthWarn],
    ['OrchestratorQueueBacklog', LIMITS.queueLagWarnSeconds],
    ['OrchestratorWorkerHeartbeatStale', LIMITS.heartbeatStaleSeconds],
    ['OrchestratorDiskLow', LIMITS.diskWarnBytes],
    ['OrchestratorDiskCritical', LIMITS.diskCriticalBytes],
    ['OrchestratorClockSkew', LIMITS.clockSkewWarnSeconds],
    ['OrchestratorBackupStale', LIMITS.backupStaleSeconds],
    ['OrchestratorMessagesStuck', LIMITS.deliveryLagWarnSeconds],
    ['OrchestratorEventLoopBlocked', LIMITS.eventLoopWarnSeconds],
  ])('%s fires at the limit that health has', (alert, limit) => {
    expect(expressionOf(alert)).toMatch(new RegExp(`[<>] ${limit}(\\D|$)`));
  });
});

describe('the runbooks', () => {
  const manifest = JSON.parse(readFileSync(`${root}/oclif.manifest.json`, 'utf8')) as {
    commands: Record<string, unknown>;
  };
  const commands = new Set(Object.keys(manifest.commands).map((id) => id.replaceAll(':', ' ')));

  it('name commands that there are', () => {
    const folder = `${root}/docs/runbooks`;
    const unknown = readdirSync(folder).flatMap((file) =>
      [...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/`pao ([a-z]+)(?: ([a-z-]+))?/g)].flatMap(
        ([, topic = '', verb]) =>
          commands.has(topic) || commands.has(`${topic} ${verb}`)
            ? []
            : [`${file}: pao ${topic} ${verb ?? ''}`],
      ),
    );
    expect(unknown).toEqual([]);
  });
});

describe('the dashboards', () => {
  it('are nine, and ask only for what is exposed', () => {
    expect(shippedDashboards(root)).toHaveLength(9);
    expect(dashboardProblems(root)).toEqual([]);
  });
});

describe('the contract of an expression', () => {
  it.each([
    ['sum(rate(orchestrator_runs_total[5m]', /can not be read/],
    ['orchestrator_runs > 1', /nobody exposes/],
    ['orchestrator_task_duration_seconds > 1', /nobody exposes/],
    ['orchestrator_runs_total{colour="red"} > 1', /has no label colour/],
    ['orchestrator_runs_total{outcome="success"} > 1', /is never success/],
    ['orchestrator_runs_total{outcome=~"failed|timeout"} > 1', /is never timeout/],
  ])('%s is refused', (expression, problem) => {
    expect(contractProblems(expression, new Set()).join()).toMatch(problem);
  });
});

describe('the parser of the exposition format', () => {
  const head = '# HELP a Help.\n# TYPE a counter\n';
  it.each([
    [`${head}a 1`, /no end/],
    [`${head}a{x="1} 1\n`, /label can not be read/],
    [`${head}a 1\na 2\n`, /twice/],
    [`${head}a -1\n`, /negative/],
    [`${head}a one\n`, /value can not be read/],
    [`${head}a 1\n# TYPE a gauge\n`, /after the samples/],
    [`${head}a 1\nb 1\na{x="1"} 1\n`, /not together/],
    ['# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n', /falling/],
    ['# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 1\nh_count 2\n', /no bucket \+Inf/],
  ])('refuses %j', (text, problem) => {
    expect(() => parseExposition(text)).toThrow(problem);
  });

  it('reads labels with every escape, and special values', () => {
    const family = parseExposition(`${head}a{x="q\\"b\\\\n\\n"} 1e3\na +Inf\n`).get('a');
    expect(family?.samples).toEqual([
      { name: 'a', labels: { x: 'q"b\\n\n' }, value: 1000 },
      { name: 'a', labels: {}, value: Number.POSITIVE_INFINITY },
    ]);
  });
});
