import { randomBytes } from 'node:crypto';
import type { RunObject } from '../../client/api-objects.js';
import { traceparentOf } from '../../domain/observability/trace.js';
import type { Check, CheckTools } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { endOf, ensureRun, makeTask, makeTool, runsOf, see, steps } from '../make.js';
import { probe } from '../probe.js';
import { until } from '../until.js';
import type { ObservedSystem } from './context.js';

/** What another system keeps in the trace; it must arrive as it was sent. */
const STATE = 'pao-check=1,other@vendor=t61rcWkgMzE';

/** What is exported over OTLP: received by the suite's own server, and held to how it should hang together. */
export const traceChecks: Check<ObservedSystem>[] = [
  {
    id: 'trace.exported',
    title:
      'Spans of all services arrive over OTLP as one tree: request, enqueue, lease, run, step, tool call',
    group: 'Traces',
    requires: ['ephemeral-server'],
    async run(live, tools) {
      const tool = await makeTool(live, tools, {
        kind: 'http',
        side_effect: 'read',
        input_schema: {},
        grants: [live.stub.host],
        http: { method: 'GET', url: `${live.stub.url}/traced` },
      });
      const asked = await makeTask(live, tools, steps({ id: 'call', uses: tool.address }));
      const manual = await traced(live, tools, `/v1/tasks/${asked.id}/run`, {}, 6, async (body) => body.id);
      ensureEqual(
        'The tree of a run that was asked for',
        manual.tree,
        {
          'POST /v1/tasks/:id/run': 'caller',
          [`enqueue ${asked.name}`]: 'POST /v1/tasks/:id/run',
          lease: `enqueue ${asked.name}`,
          [`run ${asked.name}`]: `enqueue ${asked.name}`,
          [`execute_tool ${tool.address}`]: `run ${asked.name}`,
          [`call ${tool.address}`]: `execute_tool ${tool.address}`,
        },
        see(live, tools, `pao run show ${manual.runId} --trace`),
      );
      const sent = live.stub.requests.find(({ path }) => path === '/traced')?.headers;
      const call = manual.spans.find(({ name }) => name === `call ${tool.address}`) as ExportedSpan;
      ensureEqual(
        'What the tool was sent',
        { traceparent: sent?.['traceparent'], tracestate: sent?.['tracestate'] },
        { traceparent: traceparentOf(manual.traceId, call.spanId), tracestate: STATE },
        tools.rerun,
      );
      const topic = `${live.name('trace')}.arrived`;
      const listening = await makeTask(live, tools, {
        schedule: { kind: 'event', topic },
        ...steps({ id: 'echo', uses: 'debug.echo' }),
      });
      const event = await traced(live, tools, '/v1/events', { topic, payload: {} }, 5, async () => {
        const [run] = await runsOf(live, tools, listening, 1);
        return (run as RunObject).id;
      });
      ensureEqual(
        'The tree of a run that an event triggered',
        event.tree,
        {
          'POST /v1/events': 'caller',
          [`schedule ${listening.name}`]: 'POST /v1/events',
          lease: `schedule ${listening.name}`,
          [`run ${listening.name}`]: `schedule ${listening.name}`,
          'execute_tool debug.echo': `run ${listening.name}`,
        },
        see(live, tools, `pao run show ${event.runId} --trace`),
      );
      return { spans: manual.spans.length + event.spans.length, services: event.services };
    },
  },
];

interface ExportedSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  traceState?: string;
  service: string;
}

/** Sends a request within a trace of its own and waits for the spans of the run that comes of it. @param count of them. */
async function traced(
  live: ObservedSystem,
  tools: CheckTools,
  path: string,
  body: unknown,
  count: number,
  runOf: (answer: { id: string }) => Promise<string>,
) {
  const traceId = randomBytes(16).toString('hex');
  const parent = randomBytes(8).toString('hex');
  const answer = await probe(`${live.url}${path}`, {
    method: 'POST',
    token: live.token,
    body,
    headers: { traceparent: traceparentOf(traceId, parent), tracestate: STATE },
    signal: tools.signal,
  });
  const runId = await runOf(answer.body as { id: string });
  const run = await endOf(live, tools, runId);
  ensureRun(live, tools, run, 'succeeded');
  const arrived = () => exportedSpans(live).filter((span) => span.traceId === traceId);
  // Each service sends its own, within a second or so.
  await until(`${count} spans to be exported`, () => arrived().length >= count, {
    signal: tools.signal,
    timeoutMs: live.patienceMs,
    hint: tools.rerun,
    seen: () => ({ arrived: arrived().map(({ name }) => name) }),
  });
  const spans = arrived();
  const ids = spans.map(({ spanId }) => spanId);
  ensure(new Set(ids).size === ids.length, 'Two spans have the same id.', tools.rerun, { spans });
  ensure(
    spans.every(({ traceState }) => traceState === STATE),
    'A span is without the tracestate of the request.',
    tools.rerun,
    { spans },
  );
  const nameOf = new Map([[parent, 'caller'], ...spans.map(({ spanId, name }) => [spanId, name] as const)]);
  const tree = Object.fromEntries(
    spans.map(({ name, parentSpanId = '' }) => [
      name,
      nameOf.get(parentSpanId) ?? `missing (${parentSpanId})`,
    ]),
  );
  return { traceId, runId, spans, tree, services: [...new Set(spans.map(({ service }) => service))].sort() };
}

/** Everything that was exported so far (OTLP/HTTP, JSON). */
function exportedSpans({ stub }: ObservedSystem): ExportedSpan[] {
  const bodies = stub.requests.filter(({ path }) => path === '/v1/traces').map(({ body }) => body);
  return bodies.flatMap((body) => {
    const { resourceSpans } = JSON.parse(body) as {
      resourceSpans: {
        resource: { attributes: { key: string; value: { stringValue?: string } }[] };
        scopeSpans: { spans: ExportedSpan[] }[];
      }[];
    };
    return resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const id = resource.attributes.find(({ key }) => key === 'service.instance.id');
      return scopeSpans.flatMap(({ spans }) =>
        spans.map((span) => ({ ...span, service: id?.value.stringValue ?? '' })),
      );
    });
  });
}
