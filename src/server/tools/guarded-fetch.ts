import type { FetchLike } from '@modelcontextprotocol/client';
import type { Dispatcher, RequestInfo, RequestInit, Response as UndiciResponse } from 'undici';
import { ToolError } from '../../domain/tool-error.js';
import { parseAnswer } from './answer.js';
import type { ConnectorServices } from './connector.js';
import { MAX_RESPONSE_BYTES, transportError } from './http-request.js';
import { statusError } from './http-status.js';

/**
 * A `fetch` for libraries that bring their own protocol: through the egress guard, redirects not followed, answers bounded.
 * It throws ToolErrors, so that what happened (never sent, broken off, 401, 429 with its wait) survives the library.
 */
export async function createGuardedFetch(
  services: ConnectorServices,
  grants: readonly string[],
): Promise<FetchLike> {
  const { fetch, Response } = await import('undici');
  const guarded = async (input: string | URL, init?: unknown): Promise<UndiciResponse> => {
    const url = new URL(String(input));
    const agent = await services.guard.agentFor(url, grants);
    let sent = false;
    const options = init as RequestInit | undefined;
    let response: UndiciResponse;
    try {
      response = await fetch(url as RequestInfo, {
        ...options,
        redirect: 'manual',
        dispatcher: noteSending(agent, () => {
          sent = true;
        }),
      });
    } catch (error) {
      if (options?.signal?.aborted) throw error;
      throw transportError(causeOf(error), url, sent);
    }
    if (options?.method === 'POST') await throwForStatus(services, url, response);
    return bounded(response, Response);
  };
  return guarded as unknown as FetchLike;
}

/** Tells when a request is handed to a connection: before that nothing can have taken effect. */
function noteSending(agent: Dispatcher, note: () => void): Dispatcher {
  const dispatch: Dispatcher['dispatch'] = (options, handler) =>
    agent.dispatch(
      options,
      new Proxy(handler, {
        get(target, property) {
          const value: unknown = Reflect.get(target, property);
          if (typeof value !== 'function') return value;
          if (property !== 'onConnect' && property !== 'onRequestStart') return value.bind(target);
          return (...given: unknown[]) => {
            note();
            return Reflect.apply(value, target, given);
          };
        },
      }),
    );
  return { dispatch } as Dispatcher;
}

function causeOf(error: unknown): unknown {
  return error instanceof TypeError && error.cause !== undefined ? error.cause : error;
}

/** The statuses that say nothing about the protocol; the others are for the library, which negotiates with them. */
async function throwForStatus(
  services: ConnectorServices,
  url: URL,
  response: UndiciResponse,
): Promise<void> {
  const { status } = response;
  if (status !== 401 && status !== 403 && status !== 429 && status < 500) return;
  const headers = Object.fromEntries(response.headers);
  const body = Buffer.from(await response.arrayBuffer().catch(() => new ArrayBuffer(0))).subarray(0, 20_000);
  throw statusError(
    url.host,
    { status, headers },
    parseAnswer({ headers, body }, 'auto', { lenient: true }),
    services.clock.now(),
  );
}

function bounded(response: UndiciResponse, Response: typeof UndiciResponse): UndiciResponse {
  if (response.body === null) return response;
  let bytes = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes <= MAX_RESPONSE_BYTES) return controller.enqueue(chunk);
      controller.error(
        new ToolError('too_large', `The answer is larger than ${MAX_RESPONSE_BYTES / 1024 / 1024} MiB.`),
      );
    },
  });
  const body = (response.body as unknown as ReadableStream<Uint8Array>).pipeThrough(limit);
  return new Response(body as unknown as ConstructorParameters<typeof Response>[0], {
    status: response.status,
    statusText: response.statusText,
    headers: response.headers,
  });
}
