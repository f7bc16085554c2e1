import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import type { Dispatcher } from 'undici';
import { ToolError } from '../../domain/tool-error.js';
import type { Deadline } from './deadline.js';
import { type EgressGuard, refused } from './egress-guard.js';

/** The most a tool may answer, in bytes after decompression (security.md C2.8). */
export const MAX_RESPONSE_BYTES = 5 * 1024 * 1024;

export interface HttpRequest {
  method: string;
  url: URL;
  /** Lower-case names. */
  headers: Record<string, string>;
  body?: string | undefined;
  grants: readonly string[];
  maxRedirects?: number | undefined;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names; repeated ones joined with a comma. */
  headers: Record<string, string>;
  body: Buffer;
  /** Where the answer came from, after redirects. */
  url: URL;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What may go along to another origin: nothing that identifies us or carries a secret. */
const HEADERS_FOR_OTHERS = new Set(['accept', 'accept-encoding', 'user-agent', 'content-type']);
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a header value may have a tab and no other control character
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Sends one HTTP request through the egress guard and reads the whole answer.
 * @throws ToolError `blocked`, `transport`, `timeout`, `canceled`, `too_large`, `invalid_input` (a header that cannot be
 *   sent); `outcomeKnown` is false when the request had been handed to a connection.
 */
export async function sendHttp(
  guard: EgressGuard,
  request: HttpRequest,
  deadline: Deadline,
): Promise<HttpResponse> {
  for (const [name, value] of Object.entries(request.headers)) checkHeader(name, value);
  let current = request;
  for (let hop = 0; ; hop++) {
    const response = await sendOnce(guard, current, deadline).catch((error: unknown) => {
      if (hop > 0 && error instanceof ToolError && error.kind === 'blocked')
        throw refused('redirect', `A redirect was not followed: ${error.message}`);
      throw error;
    });
    const location = response.headers['location'];
    if (!REDIRECTS.has(response.status) || location === undefined || hop >= (request.maxRedirects ?? 0)) {
      return response;
    }
    current = redirected(current, response.status, location);
  }
}

function checkHeader(name: string, value: string): void {
  if (!HEADER_NAME.test(name)) throw new ToolError('invalid_input', `"${name}" is not a header name.`);
  if (!HEADER_VALUE.test(value)) {
    throw new ToolError(
      'invalid_input',
      `The value of header ${name} holds a line break or a character that a header cannot carry.`,
    );
  }
}

function redirected(request: HttpRequest, status: number, location: string): HttpRequest {
  let url: URL;
  try {
    url = new URL(location, request.url);
  } catch {
    throw new ToolError('transport', 'The answer redirects to something that is not a URL.', {
      retryable: false,
    });
  }
  if (request.url.protocol === 'https:' && url.protocol !== 'https:') {
    throw refused('redirect', `${request.url.host} redirects from https to ${url.protocol}//${url.host}.`);
  }
  const sameOrigin = url.origin === request.url.origin;
  const becomesGet = status === 303 || ((status === 301 || status === 302) && request.method === 'POST');
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(
      ([name]) =>
        (sameOrigin || HEADERS_FOR_OTHERS.has(name)) && !(becomesGet && name.startsWith('content-')),
    ),
  );
  if (!becomesGet) return { ...request, url, headers };
  return { ...request, url, headers, method: request.method === 'HEAD' ? 'HEAD' : 'GET', body: undefined };
}

async function sendOnce(guard: EgressGuard, request: HttpRequest, deadline: Deadline): Promise<HttpResponse> {
  const agent = await guard.agentFor(request.url, request.grants);
  if (deadline.signal.aborted) throw deadline.error(false);
  const answer = await exchange(agent, request, deadline);
  const body = await decompress(answer.chunks, answer.headers['content-encoding']);
  return { status: answer.status, headers: answer.headers, body, url: request.url };
}

interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  chunks: Buffer;
}

function exchange(agent: Dispatcher, request: HttpRequest, deadline: Deadline): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let sent = false;
    let settled = false;
    let controller: Dispatcher.DispatchController | undefined;
    let status = 0;
    let headers: Record<string, string> = {};
    let bytes = 0;
    const chunks: Buffer[] = [];

    const finish = (end: () => void) => {
      if (settled) return;
      settled = true;
      deadline.signal.removeEventListener('abort', onAbort);
      end();
    };
    const fail = (error: ToolError) => {
      finish(() => reject(error));
      controller?.abort(error);
    };
    const onAbort = () => fail(deadline.error(sent));
    deadline.signal.addEventListener('abort', onAbort, { once: true });

    agent.dispatch(
      {
        origin: request.url.origin,
        path: request.url.pathname + request.url.search,
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers,
        body: request.body ?? null,
      },
      {
        onRequestStart(given) {
          controller = given;
          if (settled) given.abort(new Error('the call has ended'));
          else sent = true;
        },
        onResponseStart(_given, statusCode, responseHeaders) {
          // Informational answers (103 Early Hints) come first and are not the answer.
          if (statusCode < 200) return;
          status = statusCode;
          headers = flatten(responseHeaders);
        },
        onResponseData(_given, chunk) {
          bytes += chunk.length;
          if (bytes > MAX_RESPONSE_BYTES) fail(tooLarge());
          else chunks.push(chunk);
        },
        onResponseEnd() {
          finish(() => resolve({ status, headers, chunks: Buffer.concat(chunks) }));
        },
        onResponseError(_given, error) {
          finish(() => reject(transportError(error, request.url, sent)));
        },
      },
    );
  });
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

function tooLarge(): ToolError {
  return new ToolError('too_large', `The answer is larger than ${MAX_RESPONSE_BYTES / 1024 / 1024} MiB.`);
}

/** Whether the code of an error says that a certificate was not accepted. */
export const isCertificateError = (code: string): boolean => CERTIFICATE_ERROR.test(code);

const CERTIFICATE_ERROR = /^(ERR_TLS_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_SSL_)/;

/** What a failed connection or a broken answer means; used for undici errors of every connector. */
export function transportError(error: unknown, url: URL, sent: boolean): ToolError {
  if (error instanceof ToolError) return error;
  const code = errorCode(error);
  const message = error instanceof Error && error.message !== '' ? error.message : code;
  if (CERTIFICATE_ERROR.test(code)) {
    return new ToolError('transport', `${url.host}: the certificate is not accepted: ${message}.`, {
      retryable: false,
      details: { code },
      cause: error,
    });
  }
  if (sent) {
    return new ToolError('transport', `${url.host} broke off before a complete answer: ${message}.`, {
      outcomeKnown: false,
      details: { code },
      cause: error,
    });
  }
  return new ToolError('transport', `Cannot reach ${url.host}: ${message}.`, {
    details: { code },
    cause: error,
  });
}

function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : 'unknown';
}

const DECODERS: Record<string, (data: Buffer) => Promise<Buffer>> = {
  gzip: bounded(gunzip),
  'x-gzip': bounded(gunzip),
  br: bounded(brotliDecompress),
  // Half the world sends raw deflate under this name; a zlib stream starts with 0x78.
  deflate: (data) => ((data[0] ?? 0x78) === 0x78 ? bounded(inflate)(data) : bounded(inflateRaw)(data)),
};

type Decoder = (
  data: Buffer,
  options: { maxOutputLength: number },
  callback: (error: Error | null, result: Buffer) => void,
) => void;

function bounded(decoder: Decoder): (data: Buffer) => Promise<Buffer> {
  const run = promisify(decoder);
  return (data) => run(data, { maxOutputLength: MAX_RESPONSE_BYTES });
}

async function decompress(data: Buffer, encoding: string | undefined): Promise<Buffer> {
  if (encoding === undefined || data.length === 0) return data;
  const codings = encoding
    .split(',')
    .map((one) => one.trim().toLowerCase())
    .filter((one) => one !== '' && one !== 'identity');
  if (codings.length > 2) throw new ToolError('invalid_output', 'The answer is compressed more than twice.');
  let result = data;
  for (const coding of codings.reverse()) {
    const decode = DECODERS[coding];
    if (!decode)
      throw new ToolError('invalid_output', `The answer is compressed with "${coding}", which is unknown.`);
    try {
      result = await decode(result);
    } catch (error) {
      if (errorCode(error) === 'ERR_BUFFER_TOO_LARGE') throw tooLarge();
      throw new ToolError('invalid_output', 'The compressed answer is damaged.', { cause: error });
    }
  }
  return result;
}
