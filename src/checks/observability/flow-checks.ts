import { randomBytes } from 'node:crypto';
import { parseTraceparent, SPAN, spanIdFor, traceparentOf } from '../../domain/observability/trace.js';
import type { RunObject } from '../../client/api-objects.js';
import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, makeTask, makeTool, runsOf, see, seeRun, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import type { ObservedSystem } from './context.js';

/** One run followed through logs and through its trace. */
export const flowChecks: Check<ObservedSystem>[] = [
  {
    id: 'logs.followed',
    title: 'Every log line is JSON, and a run is followed through all services by its ids',
    group: 'Logs',
    requires: ['ephemeral-server'],
    async run(live, tools) {
      const topic = `${live.name('log')}.arrived`;
      const task = await makeTask(live, tools, {
        schedule: { kind: 'event', topic },
        ...steps({ id: 'echo', uses: 'debug.echo' }),
      });
      await live.client.publishEvent({ topic, payload: {} }, tools);
      const [first] = await runsOf(live, tools, task, 1);
      const run = await endOf(live, tools, (first as RunObject).id);
      ensureRun(live, tools, run, 'succeeded');
      const hint = `pao logs --run ${run.id}`;
      const services = async () => {
        const found = new Set<string>();
        for (const line of live.own?.readLog().split('\n').slice(0, -1) ?? []) {
          const record = parseLine(line);
          ensure(record !== null, `A log line is no JSON: ${line.slice(0, 120)}`, hint);
          for (const field of ['time', 'level', 'service', 'msg'])
            ensure(
              typeof record[field] === 'string',
              `A log line has no ${field}: ${line.slice(0, 120)}`,
              hint,
            );
          if (record['trace_id'] !== run.trace_id) continue;
          found.add(String(record['service']).replace(/^w\d+$/, 'worker'));
        }
        return found;
      };
      let last = new Set<string>();
      const all = ['api', 'scheduler', 'worker'];
      await until(
        'a line of each service about the run',
        async () => {
          last = await services();
          return all.every((one) => last.has(one));
        },
        {
          signal: tools.signal,
          timeoutMs: Math.min(5000, live.patienceMs),
          hint,
          seen: () => ({ services: [...last], trace_id: run.trace_id }),
        },
      );
      return { trace_id: run.trace_id, services: [...last].sort() };
    },
  },
  {
    id: 'trace.continued',
    title: 'The trace of a request goes on through the run to the tool it calls',
    group: 'Traces',
    requires: ['server', 'admin', 'same-machine'],
    async run(live, tools) {
      const tool = await makeTool(live, tools, {
        kind: 'http',
        side_effect: 'read',
        input_schema: {},
        grants: [live.stub.host],
        http: { method: 'GET', url: `${live.stub.url}/trace` },
      });
      const task = await makeTask(live, tools, steps({ id: 'call', uses: tool.address }));
      const traceId = randomBytes(16).toString('hex');
      const { body } = await probe(`${live.url}/v1/tasks/${task.id}/run`, {
        method: 'POST',
        token: live.token,
        body: {},
        headers: { traceparent: traceparentOf(traceId, randomBytes(8).toString('hex')) },
        signal: tools.signal,
      });
      const run = await endOf(live, tools, (body as RunObject).id);
      ensureRun(live, tools, run, 'succeeded');
      ensureEqual('The trace of the run', run.trace_id, traceId, seeRun(live, tools, run));
      const sent = live.stub.requests
        .filter(({ path }) => path === '/trace')
        .map(({ headers }) => headers['traceparent']);
      const expected = { traceId, spanId: spanIdFor(run.id, SPAN.call('call', 1)) };
      ensure(
        sent.some((header) => JSON.stringify(parseTraceparent(header)) === JSON.stringify(expected)),
        'The tool was not sent the trace of the request.',
        see(live, tools, `pao run show ${run.id} --trace`),
        { sent, expected },
      );
      return { trace_id: traceId, traceparent: sent.at(-1) };
    },
  },
];

function parseLine(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
