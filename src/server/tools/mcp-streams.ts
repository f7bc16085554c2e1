import type { FetchLike, Transport } from '@modelcontextprotocol/client';

/** In the data of the error that stands for an answer which can not come any more. */
const LOST = 'pao_stream_lost';

/**
 * The event streams of a connection over HTTP. A stream that ends before its answer is gone on with by GET and
 * `Last-Event-ID` where the server gave its events ids (2025-11-25, SEP-1699); the call itself is sent once, whatever
 * happens. Streams are open only while a call waits for them.
 */
export class CallStreams {
  #users = 0;
  #open = new AbortController();

  /** How many calls are under way. */
  get users(): number {
    return this.#users;
  }

  enter(): void {
    this.#users++;
  }

  leave(): void {
    if (--this.#users > 0) return;
    // A server need not end the stream that it answered on.
    this.#open.abort();
    this.#open = new AbortController();
  }

  /** Opens no stream but those that a call waits for: what a server says unasked, nobody listens to. */
  limit(fetch: FetchLike): FetchLike {
    return async (url, init) => {
      if (init?.method !== 'GET') return fetch(url, init);
      if (this.#users === 0 || !new Headers(init.headers).has('last-event-id'))
        return new Response(null, { status: 405 });
      const signals = [this.#open.signal, ...(init.signal ? [init.signal] : [])];
      return fetch(url, { ...init, signal: AbortSignal.any(signals) });
    };
  }

  /** Has a call end as soon as its stream is lost for good; the library would have it wait for its timeout. */
  watch(transport: Transport): Transport {
    const send = transport.send.bind(transport);
    transport.send = (message, options) => {
      if (!('method' in message && 'id' in message)) return send(message, options);
      const { id } = message;
      const onRequestStreamEnd = () => {
        options?.onRequestStreamEnd?.();
        const error = { code: -32000, message: 'the stream ended before the answer', data: { [LOST]: true } };
        // When it has been answered, nobody waits for this.
        transport.onmessage?.({ jsonrpc: '2.0', id, error });
      };
      return send(message, { ...options, onRequestStreamEnd });
    };
    return transport;
  }
}

/** Whether a call failed because the stream of its answer was lost. */
export function streamWasLost(error: unknown): boolean {
  return (error as { data?: Record<string, unknown> } | null)?.data?.[LOST] === true;
}
