import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { PaoError } from '../domain/errors.js';

/** What a relay needs: where MCP messages come from and go to, and the server behind it. */
export interface McpRelayOptions {
  /** One JSON-RPC message a line (MCP, stdio transport). */
  input: Readable;
  /** Takes one line. */
  write(line: string): void;
  /**
   * Asked anew for every message: a server that comes back on another port is found.
   * @param refused a token that was not taken: another one is tried once, the same one is not.
   */
  connection(refused?: string | null): Server | Promise<Server>;
  /** Told to the person, once each time it changes. */
  note(text: string): void;
  signal: AbortSignal;
}

interface Server {
  url: string;
  token: string | null;
  from?: string;
}

interface Message {
  id?: string | number;
  method?: string;
  params?: Record<string, unknown>;
}

/** JSON-RPC 2.0, section 5.1: reserved for the implementation. */
const SERVER_ERROR = -32000;
const PARSE_ERROR = -32700;
const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
/** The part of the parameters that the `Mcp-Name` header repeats (MCP 2026-07-28, Streamable HTTP). */
const NAME_OF: Record<string, string> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/**
 * Carries MCP between stdio and the `/mcp` endpoint of a running pao: what `pao mcp` is. It holds no state but the
 * negotiated version, so a restart of the server between two messages is not noticed. Ends when the input ends.
 */
export async function relayMcp(options: McpRelayOptions): Promise<void> {
  const { input, write, signal, note } = options;
  const underWay = new Map<string | number, AbortController>();
  const open = new Set<Promise<void>>();
  let legacyVersion: string | null = null;
  /** Kept for a server that can ask the person through this client. */
  let session: string | null = null;
  let trouble = '';

  async function carry(message: Message): Promise<void> {
    const { id, method = '', params } = message;
    const ended = new AbortController();
    if (id !== undefined && method !== '') underWay.set(id, ended);
    let server: Server | null = null;
    const send = ({ url, token }: Server) =>
      fetch(`${url}/mcp`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...headersOf(method, params, legacyVersion),
          ...(session === null ? {} : { 'mcp-session-id': session }),
        },
        body: JSON.stringify(message),
        signal: AbortSignal.any([signal, ended.signal]),
      });
    try {
      server = await options.connection();
      let response = await send(server);
      if (response.status === 401) {
        const renewed = await options.connection(server.token);
        if (renewed.token !== server.token) {
          await response.body?.cancel();
          server = renewed;
          response = await send(server);
        }
      }
      trouble = '';
      if (method === 'initialize') session = response.headers.get('mcp-session-id');
      for await (const answer of answersOf(response)) {
        if (method === 'initialize') legacyVersion = negotiated(answer) ?? legacyVersion;
        write(JSON.stringify(answer));
      }
    } catch (error) {
      if (ended.signal.aborted || signal.aborted) return;
      const text = explain(error, server);
      if (text !== trouble) note(text);
      trouble = text;
      if (id !== undefined)
        write(JSON.stringify({ jsonrpc: '2.0', id, error: { code: SERVER_ERROR, message: text } }));
    } finally {
      if (id !== undefined) underWay.delete(id);
    }
  }

  const lines = createInterface({ input, crlfDelay: Infinity });
  signal.addEventListener('abort', () => lines.close(), { once: true });
  for await (const line of lines) {
    if (line.trim() === '') continue;
    const message = parse(line);
    if (message === null) {
      write(
        JSON.stringify({
          jsonrpc: '2.0',
          id: null,
          error: { code: PARSE_ERROR, message: 'This is not JSON.' },
        }),
      );
      continue;
    }
    if (message.method === 'notifications/cancelled') {
      // Over HTTP, closing the stream is how a request is given up.
      underWay.get(message.params?.['requestId'] as string | number)?.abort();
      continue;
    }
    const work = carry(message);
    // What follows an `initialize` needs the version it settles.
    if (message.method === 'initialize') await work;
    open.add(work);
    void work.finally(() => open.delete(work));
  }
  await Promise.all(open);
}

function parse(line: string): Message | null {
  try {
    const value = JSON.parse(line) as unknown;
    return typeof value === 'object' && value !== null ? (value as Message) : null;
  } catch {
    return null;
  }
}

function headersOf(
  method: string,
  params: Record<string, unknown> | undefined,
  legacyVersion: string | null,
): Record<string, string> {
  const meta = params?.['_meta'] as Record<string, unknown> | undefined;
  const version = meta?.[VERSION_KEY];
  if (typeof version !== 'string') {
    return legacyVersion === null || method === 'initialize' ? {} : { 'mcp-protocol-version': legacyVersion };
  }
  const name = params?.[NAME_OF[method] ?? ''];
  return {
    'mcp-protocol-version': version,
    'mcp-method': method,
    ...(typeof name === 'string' ? { 'mcp-name': headerText(name) } : {}),
  };
}

/** A value that a header can not hold travels as `=?base64?…?=` (MCP 2026-07-28). */
function headerText(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?');
  return isPlain ? text : `=?base64?${Buffer.from(text).toString('base64')}?=`;
}

function negotiated(answer: unknown): string | null {
  const version = (answer as { result?: { protocolVersion?: unknown } }).result?.protocolVersion;
  return typeof version === 'string' ? version : null;
}

async function* answersOf(response: Response): AsyncGenerator<unknown> {
  const type = response.headers.get('content-type') ?? '';
  if (type.includes('text/event-stream') && response.body !== null) {
    yield* eventsOf(response.body);
    return;
  }
  const text = await response.text();
  if (text === '') return;
  const body = JSON.parse(text) as { jsonrpc?: string; detail?: string; hints?: string[] };
  // What refuses before MCP is reached (no token, wrong Host, too many requests) speaks problem documents.
  if (body.jsonrpc === undefined && !Array.isArray(body)) {
    throw new PaoError('PAO_MCP_REFUSED', body.detail ?? `The server answered ${response.status}.`, {
      hints: body.hints ?? [],
    });
  }
  if (Array.isArray(body)) yield* body;
  else yield body;
}

/** The `data:` of each server-sent event, as JSON. */
async function* eventsOf(body: AsyncIterable<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    const events = rest.split(/\r?\n\r?\n/);
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .filter((line) => line.startsWith('data:'))
        .map((line) => line.slice(5).trimStart())
        .join('\n');
      if (data !== '') yield JSON.parse(data);
    }
  }
}

function explain(error: unknown, server: Server | null): string {
  if (error instanceof PaoError)
    return [error.message, ...error.hints.map((hint) => `Try: ${hint}`)].join(' ');
  const { code } = ((error as { cause?: unknown }).cause ?? {}) as { code?: string };
  if (server === null) return (error as Error).message;
  const { url, from } = server;
  const why = from === undefined ? '' : ` ${from}`;
  if (code === 'ECONNREFUSED') return `No pao server answers at ${url}.${why} Try: pao start local`;
  return `The pao server at ${url} can not be reached (${code ?? (error as Error).message}).${why} Try: pao status`;
}
