import { TextDecoder } from 'node:util';
import { JsonSyntaxError, MAX_OUTPUT_DEPTH, parseJsonStrict, sanitizeToolOutput } from '../../domain/json.js';
import { ToolError } from '../../domain/tool-error.js';
import { type HttpResponse, MAX_RESPONSE_BYTES } from './http-request.js';

/** Values one answer may hold: enough for 5 MiB of small numbers. */
const MAX_VALUES = 1_000_000;

/**
 * Reads the body of an HTTP answer: JSON when it says so (or `type` does), else text; null when it is empty.
 * @param options.lenient for error answers: JSON that cannot be read is given as text instead.
 * @throws ToolError `invalid_output` when JSON was due and is not there, or is nested more than 64 deep.
 */
export function parseAnswer(
  response: Pick<HttpResponse, 'headers' | 'body'>,
  type: 'auto' | 'json' | 'text',
  options: { lenient?: boolean } = {},
): unknown {
  if (response.body.length === 0) return null;
  const contentType = response.headers['content-type'] ?? '';
  const wantsJson = type === 'json' || (type === 'auto' && isJsonType(contentType));
  if (!wantsJson) return decodeText(response.body, contentType);
  try {
    return parseToolJson(response.body);
  } catch (error) {
    if (options.lenient) return decodeText(response.body, contentType);
    throw error;
  }
}

/** Whether a Content-Type is JSON: `application/json`, `application/problem+json`, `text/json`. */
export function isJsonType(contentType: string): boolean {
  return /^[^;]*[/+]json\b/i.test(contentType);
}

/**
 * Reads JSON that a tool gave. Duplicate keys are taken as JSON.parse takes them (the last one wins): tools are what they
 * are; what would harm us (depth, prototype keys, broken text) is bounded or removed.
 * @throws ToolError `invalid_output`.
 */
export function parseToolJson(body: Uint8Array | string): unknown {
  const text =
    typeof body === 'string'
      ? body
      : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  const clean = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  let value: unknown;
  try {
    value = JSON.parse(clean);
  } catch {
    throw new ToolError('invalid_output', `The answer is not JSON${whereBroken(clean)}.`, { pointer: '' });
  }
  if (deeperThan(value, MAX_OUTPUT_DEPTH)) {
    throw new ToolError('invalid_output', `The answer is nested more than ${MAX_OUTPUT_DEPTH} deep.`, {
      pointer: '',
    });
  }
  return sanitizeToolOutput(value).value;
}

/** Line and column of the fault; the strict reader tells them in words without quoting the answer. */
function whereBroken(text: string): string {
  try {
    parseJsonStrict(text, {
      maxBytes: MAX_RESPONSE_BYTES * 2,
      maxDepth: MAX_OUTPUT_DEPTH,
      maxValues: MAX_VALUES,
    });
  } catch (error) {
    if (error instanceof JsonSyntaxError) return ` (line ${error.line}, column ${error.column})`;
  }
  return '';
}

function deeperThan(value: unknown, depth: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (depth === 0) return true;
  for (const item of Array.isArray(value) ? value : Object.values(value)) {
    if (deeperThan(item, depth - 1)) return true;
  }
  return false;
}

function decodeText(body: Buffer, contentType: string): string {
  const charset = /;\s*charset="?([\w:-]+)"?/i.exec(contentType)?.[1] ?? 'utf-8';
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset);
  } catch {
    decoder = new TextDecoder();
  }
  return sanitizeToolOutput(decoder.decode(body)).value as string;
}
