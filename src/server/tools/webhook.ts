import { createHmac } from 'node:crypto';
import { ToolError } from '../../domain/tool-error.js';
import { parseAnswer } from './answer.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from './connector.js';
import { sendHttp } from './http-request.js';
import { statusError } from './http-status.js';
import { headerSafe } from './http-tool.js';

/** Posts JSON to a webhook, signed when there is a secret. @param body JSON, as it is signed and sent. */
export async function postWebhook(
  services: ConnectorServices,
  call: Pick<ConnectorCall, 'context' | 'deadline'>,
  hook: { url: string; secret?: string | undefined; body: string },
  grants: readonly string[],
): Promise<ConnectorAnswer> {
  let url: URL;
  try {
    url = new URL(hook.url);
  } catch {
    throw new ToolError('invalid_input', `"${hook.url.slice(0, 80)}" is not a URL.`, { pointer: '/url' });
  }
  const { idempotencyKey, runId, stepId, traceparent, tracestate } = call.context;
  // The same id on every attempt: that is what lets the receiver drop a repeat.
  const messageId = headerSafe(
    idempotencyKey ?? (runId && stepId ? `${runId}.${stepId}` : `msg_${crypto.randomUUID()}`),
  );
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, */*;q=0.5',
    'accept-encoding': 'gzip, deflate, br',
    'user-agent': services.userAgent,
    'idempotency-key': messageId,
    ...(traceparent === undefined ? {} : { traceparent }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(tracestate === undefined ? {} : { tracestate }),
    ...webhookHeaders(messageId, Math.floor(services.clock.now() / 1000), hook.body, hook.secret),
  };
  const response = await sendHttp(
    services.guard,
    { method: 'POST', url, headers, body: hook.body, grants },
    call.deadline,
  );
  const answer = parseAnswer(response, 'auto', { lenient: true });
  if (response.status < 200 || response.status > 299) {
    throw statusError(url.host, response, answer, services.clock.now());
  }
  return {
    output: { status: response.status, message_id: messageId, body: answer },
    status: response.status,
  };
}

/**
 * Headers of a signed webhook: HMAC-SHA256 over `id.timestamp.body` (Standard Webhooks 1.0).
 * @param timestamp seconds since the epoch.
 * @param secret `whsec_` and base64, or any text, whose UTF-8 bytes are then the key; unsigned when left out.
 */
export function webhookHeaders(
  id: string,
  timestamp: number,
  body: string,
  secret: string | undefined,
): Record<string, string> {
  const headers = { 'webhook-id': id, 'webhook-timestamp': String(timestamp) };
  if (secret === undefined || secret === '') return headers;
  const key = secret.startsWith('whsec_')
    ? Buffer.from(secret.slice(6), 'base64')
    : Buffer.from(secret, 'utf8');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return { ...headers, 'webhook-signature': `v1,${signature}` };
}
