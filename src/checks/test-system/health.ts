import type { HealthReport } from '../../domain/health.js';
import { type Check, CheckFailure, type CheckTools, CheckWarning } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { see } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';

const group = 'Health';
const HINT = 'pao status';

/** The endpoints that say how the system is, and the processes behind it. */
export const healthChecks: Check<LiveSystem>[] = [
  {
    id: 'health.live',
    title: 'The process answers',
    group,
    requires: ['server'],
    async run(live, tools) {
      const { status } = await probe(`${live.url}/health/live`, tools);
      ensureEqual('The status of GET /health/live', status, 200, see(live, tools, HINT));
      return { status };
    },
  },
  {
    id: 'health.ready',
    title: 'The system is ready for requests',
    group,
    requires: ['server'],
    async run(live, tools) {
      const { status } = await probe(`${live.url}/health/ready`, tools);
      ensureEqual('The status of GET /health/ready', status, 200, see(live, tools, HINT));
      return { status };
    },
  },
  {
    id: 'health.report',
    title: 'No part of the system reports trouble',
    group,
    requires: ['server'],
    needs: ['heartbeat.scheduler', 'heartbeat.worker'],
    async run(live, tools) {
      let last = await report(live, tools);
      // Just after a start a part may not have been heard of yet.
      await until(
        'every part to be well',
        async () => {
          last = await report(live, tools);
          return last.checks.every((check) => check.status === 'pass');
        },
        { signal: tools.signal, timeoutMs: Math.min(3000, live.patienceMs), hint: HINT },
      ).catch((error: unknown) => {
        if (!(error instanceof CheckFailure)) throw error;
      });
      const { checks, status, version } = last;
      const bad = checks.filter((check) => check.status !== 'pass');
      const evidence = { status, version, parts: checks.map((check) => `${check.name}: ${check.message}`) };
      const words = bad.map(({ name, message }) => `${name}: ${message}`).join('; ');
      const hint = bad.find((check) => check.hint !== null)?.hint ?? HINT;
      ensure(!bad.some((check) => check.status === 'fail'), words, see(live, tools, hint), evidence);
      if (bad.length > 0) throw new CheckWarning(words, see(live, tools, hint), evidence);
      return evidence;
    },
  },
  ...(['scheduler', 'worker'] as const).map(
    (kind): Check<LiveSystem> => ({
      id: `heartbeat.${kind}`,
      title: `A ${kind} is alive`,
      group,
      requires: ['server'],
      async run(live, tools) {
        const alive = await until(
          `a sign of life of a ${kind}`,
          async () => {
            const { checks } = await report(live, tools);
            const part = checks.find(({ name }) => name === kind || name === `${kind}s`);
            return Number(part?.['alive'] ?? 0) > 0 ? part : null;
          },
          {
            signal: tools.signal,
            timeoutMs: live.patienceMs,
            hint: see(live, tools, 'pao logs --level warn'),
          },
        );
        return { alive: alive['alive'], wanted: alive['wanted'] };
      },
    }),
  ),
];

/** What the system says of itself; one that is unhealthy says it with 503. */
async function report(live: LiveSystem, tools: CheckTools): Promise<HealthReport> {
  const { status, body } = await probe(`${live.url}/health`, tools);
  const isReport = typeof body === 'object' && body !== null && Array.isArray((body as HealthReport).checks);
  ensure(
    isReport && (status === 200 || status === 503),
    `GET /health answered ${status} and no report.`,
    see(live, tools, HINT),
    { status },
  );
  return body as HealthReport;
}
