import type { IncomingMessage } from 'node:http';
import { PaoError } from '../domain/errors.js';
import type { EventObject } from './api-objects.js';
import { type HttpTransport, pause } from './http-transport.js';
import { ApiError } from './problem-error.js';

/** What to follow. */
export interface StreamOptions {
  /** A topic or a pattern such as `mail.*`. */
  topic?: string | undefined;
  /** Go on after this event; the id the stream gave with it. */
  lastEventId?: string | undefined;
  /** Ends the stream without an error. */
  signal?: AbortSignal | undefined;
  /** Told each time the connection is lost; `waitMs` until the next try. */
  onReconnect?: ((error: unknown, waitMs: number) => void) | undefined;
  /** Told when events after `after` are not kept any more: the stream goes on with the oldest there is, or with what comes. */
  onGap?: ((gap: { after: number; oldest: number | null }) => void) | undefined;
  /** Give up after this many failures in a row; 10 when left out. */
  maxFailures?: number | undefined;
}

/** One message of a `text/event-stream`. */
export interface StreamMessage {
  id: string | null;
  event: string;
  data: string;
}

/**
 * Follows events as they are published; takes up again where it was when the connection is lost.
 * @throws ApiError when the server refuses, PaoError when it stays away.
 */
export async function* streamEvents(
  transport: HttpTransport,
  options: StreamOptions = {},
): AsyncGenerator<EventObject> {
  const { topic, signal, maxFailures = 10 } = options;
  let lastEventId = options.lastEventId;
  let failures = 0;
  for (;;) {
    if (signal?.aborted) return;
    let response: IncomingMessage | null = null;
    let lost: unknown = null;
    try {
      response = await transport.open({
        method: 'GET',
        path: '/v1/events/stream',
        query: { topic },
        headers: {
          accept: 'text/event-stream',
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
        // A heartbeat comes every few seconds; a minute of silence is a dead connection.
        timeoutMs: 60_000,
        signal,
      });
      for await (const message of readMessages(response)) {
        failures = 0;
        if (message.id !== null) lastEventId = message.id;
        if (message.event === 'pao:gap') {
          const gap = JSON.parse(message.data) as { after: number; oldest: number | null };
          // A place that the server has not reached is of no use when the connection is lost.
          if (gap.oldest === null) lastEventId = undefined;
          options.onGap?.(gap);
          continue;
        }
        const event = eventOf(message);
        if (event) yield event;
      }
    } catch (error) {
      if (signal?.aborted) return;
      const isOver = error instanceof ApiError && error.httpStatus < 500 && error.httpStatus !== 429;
      if (isOver || ++failures >= maxFailures) throw error;
      lost = error;
    } finally {
      response?.destroy();
    }
    if (signal?.aborted) return;
    const waitMs = failures === 0 ? 200 : Math.min(10_000, 250 * 2 ** failures);
    options.onReconnect?.(lost, waitMs);
    try {
      await pause(waitMs, signal);
    } catch {
      return;
    }
  }
}

function eventOf({ data }: StreamMessage): EventObject | null {
  if (data === '') return null;
  try {
    return JSON.parse(data) as EventObject;
  } catch (error) {
    throw new PaoError('PAO_STREAM_INVALID', 'The event stream holds something that is not JSON.', {
      cause: error,
    });
  }
}

/** Reads the messages of a `text/event-stream` (HTML standard, 9.2). */
export async function* readMessages(source: AsyncIterable<string | Buffer>): AsyncGenerator<StreamMessage> {
  const decoder = new TextDecoder();
  let rest = '';
  let id: string | null = null;
  let event = 'message';
  let data: string[] = [];
  for await (const part of source) {
    rest += typeof part === 'string' ? part : decoder.decode(part, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) yield { id, event, data: data.join('\n') };
        event = 'message';
        data = [];
        continue;
      }
      const colon = line.indexOf(':');
      if (colon === 0) continue;
      const field = colon === -1 ? line : line.slice(0, colon);
      const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') data.push(value);
      else if (field === 'event') event = value;
      else if (field === 'id' && !value.includes('\0')) id = value;
    }
  }
}
