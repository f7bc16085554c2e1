import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Hook } from '../../domain/hook.js';
import { EXIT, invalidInput, PaoError } from '../../domain/errors.js';
import { JsonSyntaxError, parseJsonStrict } from '../../domain/json.js';
import { SPAN, spanIdFor, storedTrace, type TraceContext } from '../../domain/observability/trace.js';
import { checkSignature, type Verdict } from './hook-signature.js';
import type { ApiServices } from './operation.js';
import { RefusalLedger } from './refusal-ledger.js';
import { TokenBuckets } from './token-buckets.js';

/** Longest body of a delivery, bytes: that of an event. */
export const HOOK_BODY_LIMIT = 256 * 1024;
const REFUSALS_PER_MINUTE = 100;
/** How long an equal body, signed as GitHub does, is the same delivery, milliseconds (30 days; no longer than events are kept). */
const SAME_BODY_MS = 30 * 86_400_000;
/** last_received_at is written at most this often, milliseconds. */
const TOUCH_EVERY_MS = 60_000;
/** Checked when there is no such hook, so that an answer does not tell by its time. */
const NOBODY: Hook = {
  id: '',
  agentId: '',
  name: '',
  topic: '',
  scheme: 'standard',
  secret: 'nobody',
  oldSecret: null,
  oldSecretUntil: null,
  allowRepeats: false,
  createdAt: 0,
  updatedAt: 0,
  lastReceivedAt: null,
};

/** Takes deliveries of hooks: signature, then limits, then an event. What is refused is audited, bounded. */
export class HookReceiver {
  readonly #deliveries: TokenBuckets;
  readonly #refusals: TokenBuckets;
  readonly #ledger: RefusalLedger;

  constructor(private readonly services: ApiServices) {
    const { config, clock } = services;
    const monotonic = () => clock.monotonic();
    this.#deliveries = new TokenBuckets(config.rate_limit.per_second, config.rate_limit.burst, monotonic);
    this.#refusals = new TokenBuckets(REFUSALS_PER_MINUTE / 60, REFUSALS_PER_MINUTE, monotonic);
    this.#ledger = new RefusalLedger(services, 'hook.refused');
  }

  /**
   * @returns the event; `duplicate` when this delivery was taken before: the sender is answered as then, and nothing runs.
   * @throws PaoError 401 when it is not signed as the hook wants, 400 for JSON that is none, 429.
   */
  async receive(request: FastifyRequest, trace: TraceContext) {
    const { store, clock } = this.services;
    const now = clock.now();
    const id = String((request.params as { id?: unknown }).id).slice(0, 100);
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
    const hook = await store.getHook(id);
    const verdict = checkSignature(hook ?? NOBODY, request.headers, body, now);
    const agent = hook === null ? null : await store.getAgent(hook.agentId);
    if (hook === null) return this.#refuse('unknown', request.ip, null);
    if (!verdict.ok) return this.#refuse(verdict.reason, request.ip, hook.id);
    if (agent === null || agent.disabledAt !== null) return this.#refuse('agent_ended', request.ip, hook.id);
    if (!this.#deliveries.take(hook.id)) {
      this.#count('limited');
      throw tooMany('Too many deliveries for this hook.');
    }
    const { event, duplicate } = await this.services.publishEvent({
      topic: hook.topic,
      payload: {
        hook: hook.name,
        delivery_id: verdict.deliveryId.slice(0, 200),
        event: verdict.event,
        body: readBody(body, request.headers['content-type']),
      },
      ...knownBy(hook, verdict),
      agentId: hook.agentId,
      run: null,
      traceId: storedTrace(trace),
      requestId: request.id,
    });
    this.#count(duplicate ? 'duplicate' : 'taken');
    if (!duplicate) trace.spanId = spanIdFor(event.id, SPAN.request);
    if (now - (hook.lastReceivedAt ?? 0) > TOUCH_EVERY_MS) await store.touchHook(hook.id, now);
    return { event_id: event.id, topic: event.topic, duplicate };
  }

  #count(outcome: 'taken' | 'duplicate' | 'refused' | 'limited'): void {
    this.services.metrics.observer.add('hook_requests_total', { outcome });
  }

  /** Writes what was only counted so far. */
  close(): Promise<void> {
    return this.#ledger.flush();
  }

  /** One answer for all reasons: which hooks there are is nobody's business. The audit log has the reason. */
  async #refuse(reason: string, address: string, target: string | null): Promise<never> {
    this.#count('refused');
    await this.#ledger.note({ reason, address, target });
    if (!this.#refusals.take(address)) throw tooMany('Too many refused deliveries from this address.');
    throw new PaoError(
      'PAO_HOOK_REFUSED',
      'There is no such hook, or the delivery is not signed as it wants.',
      {
        exitCode: EXIT.forbidden,
        status: 401,
        hints: ['pao hook show NAME says how it is signed', 'The audit log says why it was refused'],
      },
    );
  }
}

/**
 * What a delivery is known by when it comes again. A signature over the body alone stays right for ever, under any id of a
 * delivery: there the body counts, for longer, unless the hook takes equal ones.
 */
function knownBy(hook: Hook, { deliveryId, bodyHash }: Extract<Verdict, { ok: true }>) {
  const isByBody = bodyHash !== null && !hook.allowRepeats;
  const name = isByBody ? `body ${bodyHash}` : deliveryId;
  return {
    dedupeKey: `hook:${createHash('sha256').update(`${hook.id} ${name}`).digest('hex')}`,
    ...(isByBody ? { dedupeMs: SAME_BODY_MS } : {}),
  };
}

/** JSON when it says so or is; else the text. */
function readBody(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return null;
  try {
    return parseJsonStrict(body, { maxBytes: HOOK_BODY_LIMIT });
  } catch (error) {
    if (!(error instanceof JsonSyntaxError)) throw error;
    const isJson = /^application\/(json|[\w.+-]+\+json)\b/i.test(contentType ?? '');
    const text = body.toString('utf8');
    if (!isJson && !text.includes('\u0000') && !text.includes('\ufffd')) return text;
    throw invalidInput('The body of the delivery is not JSON.', [{ pointer: '', message: error.message }]);
  }
}

const tooMany = (message: string) =>
  new PaoError('PAO_RATE_LIMITED', message, { status: 429, exitCode: EXIT.unavailable });
