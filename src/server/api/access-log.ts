import type { FastifyReply, FastifyRequest } from 'fastify';
import type { TraceContext } from '../../domain/observability/trace.js';
import type { ApiServices, Caller } from './operation.js';

/** Ids by their prefix, as log lines name them. */
const NAMES: Record<string, string> = { tsk: 'task_id', run: 'run_id', evt: 'event_id', tok: 'token_id' };
const ID = /^(tsk|run|evt|tok)_[0-9a-z-]+$/i;

/**
 * Counts an answered request and writes its line in the log: which route (its template), who, what it was about, how it
 * ended and how long it took. Never the URL, a body or a header: they may hold what is private.
 */
export function accessLog(
  services: ApiServices,
  knownOf: (request: FastifyRequest) => { caller: Caller | undefined; trace: TraceContext | undefined },
) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const route = request.routeOptions.url ?? 'unmatched';
    const { method } = request;
    const { observer } = services.metrics;
    observer.add('http_requests_total', { method, route, status_code: String(reply.statusCode) });
    observer.observe('http_request_duration_seconds', { method, route }, reply.elapsedTime / 1000);
    const { caller, trace } = knownOf(request);
    if (trace !== undefined) {
      const end = services.clock.now();
      services.tracer?.span({
        traceId: trace.traceId,
        spanId: trace.spanId,
        parentSpanId: trace.parentSpanId,
        traceState: trace.state,
        name: `${method} ${route}`,
        kind: 'server',
        start: end - reply.elapsedTime,
        end,
        attributes: {
          'http.request.method': method,
          'http.route': route,
          'http.response.status_code': reply.statusCode,
          'pao.request.id': request.id,
        },
        ...(reply.statusCode < 500 ? {} : { error: `status ${reply.statusCode}` }),
      });
    }
    services.logger.debug(
      {
        request_id: request.id,
        ...(trace === undefined ? {} : { trace_id: trace.traceId }),
        method,
        route,
        status: reply.statusCode,
        duration_ms: Math.round(reply.elapsedTime * 10) / 10,
        ...(caller === undefined ? {} : { agent_id: caller.agent.id }),
        ...idsOf(request.params, reply.getHeader('location')),
      },
      'request',
    );
  };
}

/** What the path and the Location of the answer name by id. */
function idsOf(params: unknown, location: unknown): Record<string, string> {
  const values = [...Object.values(params ?? {}), ...String(location ?? '').split('/')];
  return Object.fromEntries(
    values.flatMap((value) => {
      const name = NAMES[ID.exec(String(value))?.[1] ?? ''];
      return name === undefined ? [] : [[name, String(value)]];
    }),
  );
}
