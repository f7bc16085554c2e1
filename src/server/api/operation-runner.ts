import { EXIT, PaoError } from '../../domain/errors.js';
import type { TraceContext } from '../../domain/observability/trace.js';
import { problemsFromZod } from '../../domain/problems-from-zod.js';
import { checkKey, IdempotencyKeys } from './idempotency.js';
import type { ApiServices, Caller, Operation, OperationResult } from './operation.js';

/** A request for an operation, from whichever surface it came. */
export interface OperationRequest {
  params: Record<string, string>;
  query: unknown;
  body: unknown;
  caller: Caller;
  ifMatch: string | null;
  signal: AbortSignal;
  /** What the request is about, in one text: the same Idempotency-Key for another target is another request. */
  target: string;
  idempotencyKey: string | string[] | undefined;
  /** Where it is in its trace. */
  trace: TraceContext;
  requestId?: string;
}

/** Runs operations for REST and MCP alike: checks the input, answers a repeated request with the first answer. */
export class OperationRunner {
  readonly #keys: IdempotencyKeys;

  constructor(private readonly services: ApiServices) {
    this.#keys = new IdempotencyKeys(services.store, () => services.clock.now());
  }

  /** @throws PaoError 422 with every problem of the input, 409 while the same key is under way, and what the operation throws. */
  async run(one: Operation, request: OperationRequest): Promise<OperationResult> {
    const query = checkInput(one.query, request.query, 'query');
    const body = checkInput(one.body, request.body, 'body');
    const { params, caller, ifMatch, signal, trace, requestId = null } = request;
    const call = () =>
      one.handle({
        params,
        query: query as never,
        body: body as never,
        caller,
        services: this.services,
        ifMatch,
        trace,
        requestId,
        signal,
      });
    const key =
      request.idempotencyKey ?? (body as { idempotency_key?: string } | undefined | null)?.idempotency_key;
    if (one.method !== 'POST' || typeof key !== 'string') return call();
    checkKey(key);
    return this.#keys.once(`${caller.token.id} ${request.target}`, key, request.body, one, call);
  }
}

/** @throws PaoError 422 with every problem. */
export function checkInput(schema: Operation['body'], value: unknown, what: 'query' | 'body'): unknown {
  if (schema === undefined) return value;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new PaoError(
    'PAO_INPUT_INVALID',
    what === 'query' ? 'The query is not valid.' : 'The body is not valid.',
    {
      exitCode: EXIT.usage,
      status: 422,
      problems: problemsFromZod(parsed.error, value, schema),
    },
  );
}
