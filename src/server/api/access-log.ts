import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ApiServices, Caller } from './operation.js';

/** Ids by their prefix, as log lines name them. */
const NAMES: Record<string, string> = { tsk: 'task_id', run: 'run_id', evt: 'event_id', tok: 'token_id' };
const ID = /^(tsk|run|evt|tok)_[0-9a-z-]+$/i;

/**
 * Counts an answered request and writes its line in the log: which route (its template), who, what it was about, how it
 * ended and how long it took. Never the URL, a body or a header: they may hold what is private.
 */
export function accessLog(services: ApiServices, callerOf: (request: FastifyRequest) => Caller | undefined) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const route = request.routeOptions.url ?? 'unmatched';
    const { method } = request;
    services.metrics.record([
      {
        name: 'http_requests_total',
        labels: { method, route, status_code: String(reply.statusCode) },
        values: [1],
      },
      {
        name: 'http_request_duration_seconds',
        labels: { method, route },
        values: [reply.elapsedTime / 1000],
      },
    ]);
    const caller = callerOf(request);
    services.logger.debug(
      {
        request_id: request.id,
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
