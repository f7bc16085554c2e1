import {
  type ClientRequest,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from 'node:http';
import { EXIT, PaoError } from '../domain/errors.js';
import { problemError } from './problem-error.js';

/** Where the server is, who we are, and how long we wait. */
export interface TransportOptions {
  /** Such as `http://127.0.0.1:8080`; a path in it is kept. */
  url: string;
  /** `pao_…`; null to go without. */
  token?: string | null | undefined;
  /** A sentence that says what `url` comes from, for the error that nothing answers there. */
  from?: string | undefined;
  /** Longest silence of the server in milliseconds; 30 s when left out. */
  timeoutMs?: number | undefined;
  userAgent?: string | undefined;
}

export type QueryValue = string | number | boolean | null | undefined;

/** One request. */
export interface ApiRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Begins with `/`. */
  path: string;
  query?: Record<string, QueryValue> | undefined;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
  /** Overrides the transport's. */
  timeoutMs?: number | undefined;
}

/** What came back: status, headers, and the body, which is null when there is none. */
export interface ApiResponse<Body> {
  status: number;
  headers: IncomingMessage['headers'];
  body: Body;
}

const RETRY_AFTER_MS = 150;
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * HTTP with JSON over `node:http`: undici would cost a command 70 ms before its first byte.
 * A request that did not reach the server is sent once more; POSTs carry an Idempotency-Key, so that this is safe.
 */
export class HttpTransport {
  readonly #base: URL;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;
  readonly #from: string;

  constructor(options: TransportOptions) {
    this.#base = new URL(options.url);
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#from = options.from === undefined ? '' : ` ${options.from}`;
    this.#headers = {
      accept: 'application/json',
      'user-agent': options.userAgent ?? 'pao-client',
      ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
    };
  }

  /**
   * Sends a request and reads the JSON of the answer.
   * @throws ApiError for an answer that is not 2xx, PaoError PAO_UNREACHABLE (exit 3), PAO_TIMEOUT (exit 124).
   */
  async send<Body>(request: ApiRequest): Promise<ApiResponse<Body>> {
    const keyed =
      request.method === 'POST'
        ? { ...request, headers: { 'idempotency-key': crypto.randomUUID(), ...request.headers } }
        : request;
    try {
      return await this.#exchange<Body>(keyed);
    } catch (error) {
      if (!isWorthAnother(error) || request.signal?.aborted) throw this.#explain(error);
    }
    await pause(RETRY_AFTER_MS, request.signal);
    try {
      return await this.#exchange<Body>(keyed);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Opens an answer that is read as it comes; the caller ends it through the signal. */
  async open(request: ApiRequest): Promise<IncomingMessage> {
    try {
      const response = await this.#begin(request);
      if (isOk(response.statusCode)) return response;
      throw problemError(response.statusCode ?? 0, await readText(response), response.headers);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async #exchange<Body>(request: ApiRequest): Promise<ApiResponse<Body>> {
    const response = await this.#begin(request);
    const text = await readText(response);
    const status = response.statusCode ?? 0;
    if (!isOk(status)) throw problemError(status, text, response.headers);
    return { status, headers: response.headers, body: parseBody<Body>(text, this.#base) };
  }

  async #begin({
    method,
    path,
    query,
    body,
    headers,
    signal,
    timeoutMs,
  }: ApiRequest): Promise<IncomingMessage> {
    signal?.throwIfAborted();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const options: RequestOptions = {
      method,
      headers: {
        ...this.#headers,
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
      timeout: timeoutMs ?? this.#timeoutMs,
      ...(signal ? { signal } : {}),
    };
    const send = this.#base.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
    return new Promise((resolve, reject) => {
      const sent: ClientRequest = send(this.#address(path, query), options, resolve);
      sent.once('error', reject);
      sent.once('timeout', () => sent.destroy(new SilentServer()));
      sent.end(text);
    });
  }

  #address(path: string, query: Record<string, QueryValue> = {}): URL {
    const url = new URL(this.#base);
    url.pathname = `${this.#base.pathname.replace(/\/+$/, '')}${path}`;
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
    }
    return url;
  }

  #explain(error: unknown): unknown {
    const { origin } = this.#base;
    if (error instanceof SilentServer) {
      return new PaoError('PAO_TIMEOUT', `The server at ${origin} did not answer in time.`, {
        exitCode: EXIT.timeout,
        hints: ['pao status'],
        cause: error,
      });
    }
    const code = networkCode(error);
    if (code === null) return error;
    const isHere = ['127.0.0.1', 'localhost', '[::1]'].includes(this.#base.hostname);
    const message =
      code === 'ECONNREFUSED'
        ? `No server answers at ${origin}.${this.#from}`
        : `The server at ${origin} cannot be reached (${code}).${this.#from}`;
    return new PaoError('PAO_UNREACHABLE', message, {
      exitCode: EXIT.unavailable,
      hints: isHere ? ['pao start local'] : [`Check the address; PAO_URL or --url sets it`],
      cause: error,
    });
  }
}

class SilentServer extends Error {}

const NETWORK_CODES =
  /^(ECONN|EHOST|ENET|EPIPE|EAI_|ENOTFOUND|ETIMEDOUT|EPROTO|ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HPE_)/;

function networkCode(error: unknown): string | null {
  const { code, errors } = (error ?? {}) as { code?: unknown; errors?: unknown[] };
  if (typeof code === 'string' && NETWORK_CODES.test(code)) return code;
  // `localhost` is tried as ::1 and as 127.0.0.1: both failures come in one AggregateError.
  return Array.isArray(errors) && errors.length > 0 ? networkCode(errors[0]) : null;
}

/** Refused, or closed before an answer: a server that restarts, or a kept connection it had just closed. */
function isWorthAnother(error: unknown): boolean {
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(networkCode(error) ?? '');
}

const isOk = (status: number | undefined) => status !== undefined && status >= 200 && status < 300;

async function readText(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) {
    text += part as string;
    if (text.length > MAX_BODY_BYTES) throw new PaoError('PAO_ANSWER_TOO_LARGE', 'The answer is too large.');
  }
  return text;
}

function parseBody<Body>(text: string, base: URL): Body {
  if (text === '') return null as Body;
  try {
    return JSON.parse(text) as Body;
  } catch (error) {
    throw new PaoError('PAO_NOT_A_PAO_SERVER', `What answers at ${base.origin} is not a pao server.`, {
      exitCode: EXIT.unavailable,
      hints: ['Check the address; PAO_URL or --url sets it', 'pao status'],
      cause: error,
    });
  }
}

/** Waits, unless the signal says stop. @throws the reason of the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
