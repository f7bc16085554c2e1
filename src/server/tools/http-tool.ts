import { createHash } from 'node:crypto';
import type { HttpConnector } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import { isJsonType, parseAnswer } from './answer.js';
import {
  blockOf,
  type ConnectorAnswer,
  type ConnectorCall,
  type ConnectorServices,
  resolveSecrets,
} from './connector.js';
import {
  asText,
  fillJson,
  fillText,
  fillValue,
  isConstant,
  type JsonTemplate,
  parseJsonTemplate,
  parseTemplate,
  secretsIn,
  secretsInJson,
  type TemplateScope,
  type TextTemplate,
} from './connector-template.js';
import { type HttpResponse, sendHttp } from './http-request.js';
import { statusError } from './http-status.js';
import { mapResponse } from './response-map.js';

interface CompiledHttp {
  origin: string;
  path: TextTemplate;
  /** The part of the URL after `?`, if any. */
  search: TextTemplate | null;
  headers: [string, TextTemplate][];
  query: [string, JsonTemplate][];
  body: JsonTemplate | null;
  usesRunToken: boolean;
  secrets: string[];
}

const compiledByConnector = new WeakMap<HttpConnector, CompiledHttp>();

/** Calls a tool of kind `http`. Throws ToolError of any kind but those of models. */
export async function callHttpTool(
  services: ConnectorServices,
  call: ConnectorCall,
): Promise<ConnectorAnswer> {
  const connector = blockOf(call.tool, 'http');
  const compiled = compile(connector);
  const scope: TemplateScope = {
    input: call.input,
    secrets: await resolveSecrets(services, call, compiled.secrets),
    call: await callScope(call, compiled.usesRunToken),
  };
  const response = await sendHttp(
    services.guard,
    {
      method: connector.method,
      url: buildUrl(compiled, scope),
      ...buildContent(connector, compiled, scope, standardHeaders(services, call, connector.method)),
      grants: call.tool.grants ?? [],
      maxRedirects: connector.max_redirects,
    },
    call.deadline,
  );
  return readResponse(services, call, connector, response);
}

function compile(connector: HttpConnector): CompiledHttp {
  const known = compiledByConnector.get(connector);
  if (known) return known;
  const match = /^(https?:\/\/[^/?#]+)([^?#]*)(?:\?([^#]*))?/.exec(connector.url);
  if (!match) throw new ToolError('config_error', `"${connector.url.slice(0, 80)}" is not a URL.`);
  const path = parseTemplate(match[2] === '' ? '/' : (match[2] as string));
  const search = match[3] === undefined ? null : parseTemplate(match[3]);
  const headers = Object.entries(connector.headers ?? {}).map(([name, value]): [string, TextTemplate] => [
    name.toLowerCase(),
    parseTemplate(value),
  ]);
  const query = Object.entries(connector.query ?? {}).map(([name, value]): [string, JsonTemplate] => [
    name,
    parseJsonTemplate(value),
  ]);
  const body = connector.body === undefined ? null : parseJsonTemplate(connector.body);
  const compiled: CompiledHttp = {
    origin: match[1] as string,
    path,
    search,
    headers,
    query,
    body,
    usesRunToken: JSON.stringify(connector).includes('call.run_token'),
    secrets: [
      ...secretsIn(path),
      ...(search ? secretsIn(search) : []),
      ...headers.flatMap(([, template]) => secretsIn(template)),
      ...query.flatMap(([, template]) => secretsInJson(template)),
      ...(body ? secretsInJson(body) : []),
    ],
  };
  compiledByConnector.set(connector, compiled);
  return compiled;
}

async function callScope(call: ConnectorCall, withToken: boolean): Promise<Record<string, unknown>> {
  const { context } = call;
  return {
    ...(withToken ? { run_token: await context.runToken?.() } : {}),
    idempotency_key: context.idempotencyKey,
    run_id: context.runId,
    step_id: context.stepId,
    attempt: context.attempt,
    timezone: context.timezone ?? 'UTC',
  };
}

function buildUrl(compiled: CompiledHttp, scope: TemplateScope): URL {
  const path = fillText(compiled.path, scope, encodeSegment);
  // URL parsing would climb out of the path that the operator wrote.
  if (!isConstant(compiled.path) && path.split('/').some((segment) => /^(\.|%2e){1,2}$/i.test(segment))) {
    throw new ToolError('invalid_input', 'A value in the path is "." or "..".');
  }
  const pairs: string[] = compiled.search ? [fillText(compiled.search, scope, encodeQuery)] : [];
  for (const [name, template] of compiled.query) {
    const value = fillJson(template, scope);
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item === undefined || item === null) continue;
      pairs.push(`${encodeQuery(name)}=${encodeQuery(asText(item))}`);
    }
  }
  return new URL(compiled.origin + path + (pairs.length > 0 ? `?${pairs.join('&')}` : ''));
}

/** Percent-encodes one value for a path; `:` and `@` may stand there as they are (RFC 3986 3.3), and Telegram wants it. */
function encodeSegment(text: string): string {
  return encodeQuery(text).replace(/%3A/g, ':').replace(/%40/g, '@');
}

function encodeQuery(text: string): string {
  try {
    return encodeURIComponent(text);
  } catch {
    throw new ToolError('invalid_input', 'A value for the URL is not well-formed Unicode text.');
  }
}

function standardHeaders(
  services: ConnectorServices,
  call: ConnectorCall,
  method: string,
): Record<string, string> {
  const { idempotencyKey, traceparent, tracestate } = call.context;
  const headers: Record<string, string> = {
    accept: 'application/json, text/*;q=0.8, */*;q=0.5',
    'accept-encoding': 'gzip, deflate, br',
    'user-agent': services.userAgent,
  };
  if (traceparent !== undefined) headers['traceparent'] = traceparent;
  if (tracestate !== undefined) headers['tracestate'] = tracestate;
  if (idempotencyKey !== undefined && method !== 'GET' && method !== 'HEAD') {
    headers['idempotency-key'] = headerSafe(idempotencyKey);
  }
  return headers;
}

/** The key itself when a header can carry it, else its SHA-256: the same key must always give the same header. */
export function headerSafe(key: string): string {
  return /^[\x21-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?$/.test(key)
    ? key
    : createHash('sha256').update(key).digest('hex');
}

function buildContent(
  connector: HttpConnector,
  compiled: CompiledHttp,
  scope: TemplateScope,
  headers: Record<string, string>,
): { headers: Record<string, string>; body: string | undefined } {
  let body: string | undefined;
  if (compiled.body !== null) {
    const value = fillJson(compiled.body, scope);
    const type = connector.body_type ?? 'json';
    if (value !== undefined) {
      body = encodeBody(type, value);
      headers['content-type'] =
        type === 'json'
          ? 'application/json'
          : type === 'form'
            ? 'application/x-www-form-urlencoded'
            : 'text/plain; charset=utf-8';
    }
  }
  for (const [name, template] of compiled.headers) {
    const value = fillValue(template, scope);
    if (value !== undefined && value !== null) headers[name] = asText(value);
  }
  return { headers, body };
}

function encodeBody(type: 'json' | 'form' | 'text', value: unknown): string {
  if (type === 'json') return JSON.stringify(value);
  if (type === 'text') return asText(value);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new ToolError('invalid_input', 'A form body must be an object.');
  }
  const form = new URLSearchParams();
  for (const [name, item] of Object.entries(value)) {
    for (const one of Array.isArray(item) ? item : [item]) {
      if (one !== undefined && one !== null) form.append(name, asText(one));
    }
  }
  return form.toString();
}

function readResponse(
  services: ConnectorServices,
  call: ConnectorCall,
  connector: HttpConnector,
  response: HttpResponse,
): ConnectorAnswer {
  const settings = connector.response ?? {};
  const ok = settings.ok
    ? settings.ok.includes(response.status)
    : response.status >= 200 && response.status < 300;
  if (!ok) {
    const body = parseAnswer(response, 'auto', { lenient: true });
    throw statusError(call.tool.address, response, body, services.clock.now(), settings.retry_on);
  }
  const body = parseAnswer(response, settings.type ?? 'auto');
  const output =
    settings.map === undefined
      ? typeof body === 'string' && !isJson(response, settings.type)
        ? { text: body }
        : body
      : mapResponse(
          settings.map,
          { status: response.status, headers: response.headers, body },
          call.context.timezone ?? 'UTC',
        );
  const requestId = response.headers['x-request-id'] ?? response.headers['request-id'];
  return {
    output,
    status: response.status,
    ...(requestId === undefined ? {} : { requestId: requestId.slice(0, 200) }),
  };
}

function isJson(response: HttpResponse, type: string | undefined): boolean {
  return type === 'json' || (type !== 'text' && isJsonType(response.headers['content-type'] ?? ''));
}
