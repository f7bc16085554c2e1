import { EXIT, PaoError, cut } from './errors.js';
import { FORBIDDEN_KEYS } from './forbidden-keys.js';

/** Bounds of {@link parseJsonStrict}; the defaults are those of the API (security.md C2.4). */
export interface JsonLimits {
  /** Bytes of UTF-8; 1 MiB when left out. */
  maxBytes?: number;
  /** Nesting of lists and objects; 32 when left out. */
  maxDepth?: number;
  /** Values of every kind, keys not counted; 20,000 when left out. */
  maxValues?: number;
}

/** Text that is not JSON, or JSON that is not taken. Line and column count from 1, the column in UTF-16 units. */
export class JsonSyntaxError extends PaoError {
  constructor(
    message: string,
    readonly line: number,
    readonly column: number,
    hint?: string,
    /** Over a bound: HTTP 413 rather than 400. */
    tooLarge = false,
  ) {
    super('PAO_JSON_INVALID', `${message} (line ${line}, column ${column}).`, {
      exitCode: EXIT.usage,
      status: tooLarge ? 413 : 400,
      hints: hint === undefined ? [] : [hint],
      problems: [
        {
          pointer: '',
          message: `Line ${line}, column ${column}: ${message}`,
          ...(hint === undefined ? {} : { hint }),
        },
      ],
    });
    this.name = 'JsonSyntaxError';
  }
}

/**
 * Reads JSON (RFC 8259) and refuses what is legal but harmful: duplicate keys, `__proto__` and the like, lone surrogates,
 * NUL, integers beyond 2^53-1, numbers that overflow, and input over the limits.
 * @throws JsonSyntaxError with line and column.
 */
export function parseJsonStrict(input: string | Uint8Array, limits: JsonLimits = {}): unknown {
  const maxBytes = limits.maxBytes ?? 1_048_576;
  const size = typeof input === 'string' ? Buffer.byteLength(input) : input.byteLength;
  if (size > maxBytes) {
    throw new JsonSyntaxError(
      `The JSON has ${size} bytes, at most ${maxBytes} are allowed`,
      1,
      1,
      undefined,
      true,
    );
  }
  const text = typeof input === 'string' ? input : decode(input);
  return new JsonReader(text, limits.maxDepth ?? 32, limits.maxValues ?? 20_000).read();
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const at = firstInvalidByte(bytes);
    const before = new TextDecoder().decode(bytes.subarray(0, at));
    const { line, column } = positionOf(before, before.length);
    throw new JsonSyntaxError('The text is not UTF-8', line, column, 'Send the text as UTF-8');
  }
}

function firstInvalidByte(bytes: Uint8Array): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let low = 0;
  let high = bytes.length;
  // The longest prefix that decodes, but for a character cut in two at its end.
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    try {
      decoder.decode(bytes.subarray(0, middle), { stream: true });
      decoder.decode(new Uint8Array(0), { stream: true });
      low = middle;
    } catch {
      high = middle - 1;
    } finally {
      try {
        decoder.decode();
      } catch {
        // The decoder only had to be reset.
      }
    }
  }
  return low;
}

/** Line and column, both from 1, of an offset in a text. */
export function positionOf(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', start)) {
    line += 1;
    start = at + 1;
  }
  return { line, column: offset - start + 1 };
}

// With the `u` flag a whole pair is one character, so this finds halves only.
const LONE_SURROGATE = /\p{Cs}/u;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: JSON text may not hold them unescaped
const PLAIN_TEXT = /[^"\\\u0000-\u001f]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class JsonReader {
  #at = 0;
  #values = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
    private readonly maxValues: number,
  ) {}

  read(): unknown {
    if (this.text.charCodeAt(0) === 0xfeff) {
      throw this.#error('The text begins with a byte order mark', 0, 'Save the text as UTF-8 without BOM');
    }
    this.#space();
    if (this.#at === this.text.length) throw this.#error('There is no JSON: the text is empty');
    const value = this.#value(0);
    this.#space();
    if (this.#at < this.text.length)
      throw this.#error(`Unexpected ${this.#seen()} after the end of the JSON`);
    return value;
  }

  #value(depth: number): unknown {
    this.#values += 1;
    if (this.#values > this.maxValues) {
      throw this.#error(`More than ${this.maxValues} values`, this.#at, undefined, true);
    }
    const char = this.text[this.#at];
    if (char === '"') return this.#string();
    if (char === '{' || char === '[') {
      if (depth >= this.maxDepth) {
        throw this.#error(`Nested deeper than ${this.maxDepth}`, this.#at, undefined, true);
      }
      this.#at += 1;
      return char === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (char === '-' || (char !== undefined && char >= '0' && char <= '9')) return this.#number();
    for (const [word, value] of [
      ['true', true],
      ['false', false],
      ['null', null],
    ] as const) {
      if (this.text.startsWith(word, this.#at)) {
        this.#at += word.length;
        return value;
      }
    }
    throw this.#error(`${this.#seen(true)} where a value was expected`, this.#at, hintFor(char));
  }

  #object(depth: number): Record<string, unknown> {
    const made: Record<string, unknown> = {};
    this.#space();
    if (this.#take('}')) return made;
    for (;;) {
      this.#space();
      const start = this.#at;
      if (this.text[start] !== '"') {
        throw this.#error(
          `${this.#seen(true)} where a key in double quotes was expected`,
          start,
          hintFor(this.text[start]),
        );
      }
      const key = this.#string();
      if (FORBIDDEN_KEYS.has(key)) throw this.#error(`The key "${key}" is not allowed`, start);
      if (Object.hasOwn(made, key))
        throw this.#error(`The key ${JSON.stringify(cut(key, 40))} is there twice`, start);
      this.#space();
      if (!this.#take(':')) throw this.#error(`${this.#seen(true)} where ":" was expected`);
      this.#space();
      made[key] = this.#value(depth);
      this.#space();
      if (this.#take('}')) return made;
      if (!this.#take(',')) throw this.#error(`${this.#seen(true)} where "," or "}" was expected`);
    }
  }

  #array(depth: number): unknown[] {
    const made: unknown[] = [];
    this.#space();
    if (this.#take(']')) return made;
    for (;;) {
      this.#space();
      made.push(this.#value(depth));
      this.#space();
      if (this.#take(']')) return made;
      if (!this.#take(',')) throw this.#error(`${this.#seen(true)} where "," or "]" was expected`);
    }
  }

  #string(): string {
    const start = this.#at;
    this.#at += 1;
    let made = '';
    for (;;) {
      PLAIN_TEXT.lastIndex = this.#at;
      const plain = (PLAIN_TEXT.exec(this.text) as RegExpExecArray)[0];
      made += plain;
      this.#at += plain.length;
      const char = this.text[this.#at];
      if (char === '"') {
        this.#at += 1;
        break;
      }
      if (char === undefined) throw this.#error('A text is not closed', start, 'Add the closing "');
      if (char !== '\\')
        throw this.#error(
          'A control character stands in a text',
          this.#at,
          'Write it as \\n, \\t or \\u00XX',
        );
      made += this.#escape();
    }
    if (LONE_SURROGATE.test(made)) throw this.#error('A text has half a surrogate pair in it', start);
    if (made.includes('\0')) throw this.#error('A text has a NUL character in it', start);
    return made;
  }

  #escape(): string {
    const code = this.text[this.#at + 1];
    if (code === 'u') {
      const digits = this.text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#error('\\u needs four hexadecimal digits');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const char = code === undefined || !Object.hasOwn(ESCAPES, code) ? undefined : ESCAPES[code];
    if (char === undefined)
      throw this.#error(`\\${code ?? ''} is not an escape of JSON`, this.#at, 'A backslash is written \\\\');
    this.#at += 2;
    return char;
  }

  #number(): number {
    const start = this.#at;
    NUMBER.lastIndex = start;
    const match = NUMBER.exec(this.text);
    if (match === null) throw this.#error(`${this.#seen(true)} where a number was expected`);
    const [written, fraction, exponent] = match;
    this.#at += written.length;
    if (/[0-9.eE+]/.test(this.text[this.#at] ?? '')) {
      throw this.#error(
        'A number is not written as JSON has it',
        start,
        'No leading zeros, and digits on both sides of the point',
      );
    }
    const value = Number(written);
    const isInteger = fraction === undefined && exponent === undefined;
    if (!Number.isFinite(value) || (isInteger && !Number.isSafeInteger(value))) {
      throw this.#error(
        `The number ${cut(written, 40)} is too large to be kept exactly`,
        start,
        'Write it as text, in quotes',
      );
    }
    return value;
  }

  #space(): void {
    while (this.#at < this.text.length) {
      const code = this.text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #take(char: string): boolean {
    if (this.text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #seen(atStart = false): string {
    const char = this.text[this.#at];
    if (char === undefined) return atStart ? 'The text ends' : 'end';
    return atStart ? `Found ${JSON.stringify(char)}` : JSON.stringify(char);
  }

  #error(message: string, at = this.#at, hint?: string, tooLarge = false): JsonSyntaxError {
    const { line, column } = positionOf(this.text, at);
    return new JsonSyntaxError(message, line, column, hint, tooLarge);
  }
}

function hintFor(char: string | undefined): string | undefined {
  if (char === "'") return 'JSON has double quotes only';
  if (char === '}' || char === ']') return 'A comma may not stand before the closing bracket';
  if (char === '/') return 'JSON has no comments';
  return undefined;
}

/** What {@link sanitizeToolOutput} made of an answer. */
export interface SanitizedOutput {
  value: unknown;
  /** What was left out, in words; empty when the answer was taken as it is. */
  removed: string[];
}

/** Deepest nesting of a tool's answer that is kept. */
export const MAX_OUTPUT_DEPTH = 64;

/**
 * Makes a plain JSON value of a tool's answer, which is hostile input: prototype keys go, what JSON has no word for
 * (functions, NaN, undefined) becomes null, NUL and lone surrogates become U+FFFD, and deeper than 64 becomes null.
 * The very same value is given back when nothing had to be changed.
 */
export function sanitizeToolOutput(value: unknown): SanitizedOutput {
  const removed = new Set<string>();
  return { value: sanitize(value, 0, removed), removed: [...removed] };
}

function sanitize(value: unknown, depth: number, removed: Set<string>): unknown {
  if (typeof value === 'string') {
    if (!LONE_SURROGATE.test(value) && !value.includes('\0')) return value;
    removed.add('characters that are not text');
    return value.replace(/[\p{Cs}\0]/gu, '\ufffd');
  }
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (Number.isFinite(value)) return value;
    removed.add('numbers that are not finite');
    return null;
  }
  if (typeof value !== 'object') {
    removed.add(`values of type ${typeof value}`);
    return null;
  }
  if (depth >= MAX_OUTPUT_DEPTH) {
    removed.add(`what was nested deeper than ${MAX_OUTPUT_DEPTH}`);
    return null;
  }
  if (Array.isArray(value)) {
    let copy: unknown[] | null = null;
    for (let index = 0; index < value.length; index += 1) {
      const clean = sanitize(value[index], depth + 1, removed);
      if (clean !== value[index] && copy === null) copy = value.slice(0, index);
      copy?.push(clean);
    }
    return copy ?? value;
  }
  return sanitizeObject(value, depth, removed);
}

function sanitizeObject(value: object, depth: number, removed: Set<string>): unknown {
  const clean: Record<string, unknown> = {};
  const prototype = Object.getPrototypeOf(value);
  let changed = prototype !== Object.prototype;
  for (const [key, item] of Object.entries(value)) {
    if (FORBIDDEN_KEYS.has(key)) {
      removed.add(`the key "${key}"`);
      changed = true;
      continue;
    }
    const cleanKey = sanitize(key, depth, removed) as string;
    clean[cleanKey] = sanitize(item, depth + 1, removed);
    if (cleanKey !== key || clean[cleanKey] !== item) changed = true;
  }
  return changed ? clean : value;
}

/**
 * JSON with sorted keys and no white space (as RFC 8785): equal values give equal text.
 * Members that are `undefined` are left out, as JSON.stringify does.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const record = value as Record<string, unknown>;
    const members = Object.keys(record)
      .filter((key) => record[key] !== undefined)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(record[key])}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/** As in yaml-position; loads the YAML parser only when it is called. */
export { parseYamlDocuments, withPositions, type YamlDocument } from './yaml-position.js';
