import type { FastifyRequest } from 'fastify';
import type { ApiServices } from './operation.js';
import type { ProblemDocument } from './problem.js';

/** Counts an answer that refuses, by the reason it was refused for. */
export function countRefusal(
  problem: ProblemDocument,
  request: FastifyRequest,
  { metrics: { observer }, redactor }: ApiServices,
): void {
  const reason = reasonOf(problem, request.headers.authorization);
  if (reason !== null) observer.add('http_rejections_total', { reason });
  if (reason === 'scope') observer.add('auth_failures_total', { reason });
  if (request.routeOptions.url === '/v1/events' && request.method === 'POST')
    observer.add('events_published_total', { outcome: 'rejected' });
  if (redactor.redact(problem) !== problem) observer.add('secret_redactions_total', { sink: 'error' });
}

/** Why a request was refused before its operation ran, as the metric has it; null for everything else. */
function reasonOf({ status, code }: ProblemDocument, authorization: string | undefined): string | null {
  if (status === 401) return authorization === undefined ? 'auth_missing' : 'auth_invalid';
  if (code === 'PAO_REQUEST_REFUSED') return status === 403 ? 'origin' : 'host';
  if (status === 403 && code === 'PAO_FORBIDDEN') return 'scope';
  if (code === 'PAO_RATE_LIMITED') return 'rate_limited';
  if (status === 413) return 'body_too_large';
  if (status === 415) return 'media_type';
  if (status === 431) return 'headers';
  return status === 400 || (status === 422 && code === 'PAO_INPUT_INVALID') ? 'validation' : null;
}
