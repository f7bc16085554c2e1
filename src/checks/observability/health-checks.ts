import type { HealthReport } from '../../domain/health.js';
import { LIMITS } from '../../domain/observability/limits.js';
import type { Check, CheckTools } from '../check.js';
import { ensure } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { makeTask, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import type { ObservedSystem } from './context.js';

/** That health goes down by a step, says why and since when, and comes back; unhealthy and back is `workers.heartbeat`. */
export const healthChecks: Check<ObservedSystem>[] = [
  {
    id: 'health.degraded',
    title: 'Health is degraded while due work waits too long, says so with a next step, and comes back',
    group: 'Health',
    requires: ['ephemeral-server'],
    isDisruptive: true,
    isExclusive: true,
    async run({ withClock }, tools) {
      const live = await withClock();
      const before = await queueIs(live, tools, 'pass');
      // No worker has the tag, so it stays due.
      const task = await makeTask(live, tools, {
        runs_on: [live.name('tag')],
        ...steps({ id: 'echo', uses: 'debug.echo' }),
      });
      const run = await live.client.runTask(task.id, {}, tools);
      await live.own?.advance((LIMITS.schedulerLagWarnSeconds + 1) * 1000);
      const degraded = await queueIs(live, tools, 'warn');
      ensure(
        degraded.since !== before.since && degraded.hint !== null && degraded.doc !== undefined,
        'What is degraded has no time since when, no next step or no runbook.',
        tools.rerun,
        { degraded },
      );
      await live.client.cancelRun(run.id, tools);
      const after = await queueIs(live, tools, 'pass');
      ensure(after.since !== degraded.since, 'It is back, since the time it went.', tools.rerun, { after });
      return { before, degraded, after };
    },
  },
];

type QueueCheck = HealthReport['checks'][number] & { doc?: string };

/** Waits until the component has the status, and the whole the one that follows from its parts. */
async function queueIs(live: LiveSystem, tools: CheckTools, wanted: 'pass' | 'warn') {
  let last: HealthReport | undefined;
  const queue = await until(
    `the queue to be ${wanted} in health, and health to be ${wanted === 'warn' ? 'degraded' : 'what its parts are'}`,
    async () => {
      const { status, body } = await probe(`${live.url}/health`, { token: live.token, signal: tools.signal });
      last = body as HealthReport;
      const isWell = last.checks.every((one) => one.status === 'pass');
      const isSo = wanted === 'warn' ? last.status === 'degraded' : isWell === (last.status === 'healthy');
      const found = last.checks.find((one) => one.name === 'queue' && one.status === wanted);
      return status === 200 && isSo ? (found as QueueCheck | undefined) : null;
    },
    {
      signal: tools.signal,
      timeoutMs: live.patienceMs,
      hint: tools.rerun,
      seen: () => ({ status: last?.status, checks: last?.checks.filter((one) => one.status !== 'pass') }),
    },
  );
  const { since, message, hint, doc } = queue;
  return { status: last?.status, since, message, hint, doc };
}
