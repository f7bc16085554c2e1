import type { Alias, Document, LineCounter, Node, Pair } from 'yaml';
import type * as YamlModule from 'yaml';
import { EXIT, PaoError, type Problem, cut } from './errors.js';
import { FORBIDDEN_KEYS } from './forbidden-keys.js';
import type { JsonLimits } from './json.js';

/** A place in a text; both count from 1. */
export interface TextPosition {
  line: number;
  column: number;
}

/** One document of a YAML (or JSON) file. */
export interface YamlDocument {
  value: unknown;
  /**
   * Where the value at a JSON Pointer is written; of something that is not there, the nearest place above it.
   * @param part `key` for the name of the value; also the place of a value that begins on a line of its own.
   */
  locate(pointer: string, part?: 'value' | 'key'): TextPosition;
}

/** YAML that can not be read or is not taken, with line and column. */
export class YamlSyntaxError extends PaoError {
  constructor(
    readonly file: string,
    message: string,
    readonly position: TextPosition,
    hint?: string,
  ) {
    super('PAO_YAML_INVALID', `${file}:${position.line}:${position.column}: ${message}`, {
      exitCode: EXIT.usage,
      status: 422,
      hints: hint === undefined ? [] : [hint],
      problems: [
        {
          pointer: '',
          message: `Line ${position.line}, column ${position.column}: ${message}`,
          ...(hint === undefined ? {} : { hint }),
        },
      ],
    });
    this.name = 'YamlSyntaxError';
  }
}

const MAX_DOCUMENTS = 1000;

/**
 * Reads all documents of a YAML 1.2 text (JSON is YAML); an empty document is left out.
 * Aliases are followed and counted as what they stand for, so that few lines can not become millions of values.
 * @param file its name, for messages.
 * @throws YamlSyntaxError for the first fault, with line and column.
 */
export async function parseYamlDocuments(
  text: string,
  file: string,
  limits: JsonLimits = {},
): Promise<YamlDocument[]> {
  const maxBytes = limits.maxBytes ?? 1_048_576;
  if (Buffer.byteLength(text) > maxBytes) {
    throw new YamlSyntaxError(file, `the file is larger than ${maxBytes} bytes`, { line: 1, column: 1 });
  }
  const yaml = await import('yaml');
  refuseDepth(yaml, text, file);
  const lines = new yaml.LineCounter();
  const documents = read(yaml, text, lines, file);
  const found: YamlDocument[] = [];
  const budget = { values: limits.maxValues ?? 20_000 };
  for (const document of documents) {
    const at = (offset: number): TextPosition => positionOf(lines, offset);
    const fault = document.errors[0] ?? document.warnings[0];
    if (fault !== undefined) {
      const message = /call stack/.test(fault.message)
        ? 'nested too deep'
        : cut(fault.message.split('\n')[0] as string, 300);
      throw new YamlSyntaxError(file, message, at(fault.pos[0]), hintFor(fault.code, message));
    }
    const { contents } = document;
    if (contents === null || (yaml.isScalar(contents) && contents.value === null)) continue;
    const reader = new ValueReader(yaml, document, file, at, budget, limits.maxDepth ?? 32);
    found.push({
      value: reader.value(contents as Node, 0),
      locate: (pointer, part = 'value') => locate(yaml, document, lines, pointer, part),
    });
  }
  return found;
}

/** Puts `file:line:column` before the message of each problem. */
export function withPositions(problems: readonly Problem[], file: string, document: YamlDocument): Problem[] {
  return problems.map((problem) => {
    const isKey = problem.message.startsWith('unknown key');
    const { line, column } = document.locate(problem.pointer, isKey ? 'key' : 'value');
    return { ...problem, message: `${file}:${line}:${column} ${problem.pointer || '/'} ${problem.message}` };
  });
}

type Yaml = typeof YamlModule;

/** Deeper than any limit allows, and far from where the recursive parser of the library ends its stack. */
const MAX_NESTING = 200;

/** Counts brackets, indicators on one line and indentation before the text reaches the recursive parser. */
function refuseDepth(yaml: Yaml, text: string, file: string): void {
  let flow = 0;
  let onLine = 0;
  let line = 1;
  let isText = false;
  for (const token of new yaml.Lexer().lex(text)) {
    // What follows the mark is a text as it is, whatever it begins with: a block of it begins with its indentation.
    if (isText) {
      isText = false;
      line += token.split('\n').length - 1;
      continue;
    }
    isText = token === yaml.CST.SCALAR;
    switch (yaml.CST.tokenType(token)) {
      case 'newline':
        line += 1;
        onLine = 0;
        break;
      case 'flow-seq-start':
      case 'flow-map-start':
        flow += 1;
        break;
      case 'flow-seq-end':
      case 'flow-map-end':
        flow = Math.max(0, flow - 1);
        break;
      case 'seq-item-ind':
      case 'explicit-key-ind':
      case 'map-value-ind':
      case 'tag':
      case 'anchor':
        // In flow style one line may hold any number of pairs.
        onLine += flow === 0 ? 1 : 0;
        break;
      case 'space':
        if (onLine === 0 && flow === 0) onLine = token.length > MAX_NESTING * 2 ? MAX_NESTING + 1 : 0;
        break;
      default:
        break;
    }
    if (flow > MAX_NESTING || onLine > MAX_NESTING) {
      throw new YamlSyntaxError(file, 'nested too deep', { line, column: 1 });
    }
  }
}

function read(yaml: Yaml, text: string, lines: LineCounter, file: string): Document[] {
  try {
    const documents = yaml.parseAllDocuments(text, {
      lineCounter: lines,
      prettyErrors: false,
      uniqueKeys: true,
      version: '1.2',
    }) as Document[];
    if (documents.length > MAX_DOCUMENTS) {
      throw new YamlSyntaxError(file, `more than ${MAX_DOCUMENTS} documents`, { line: 1, column: 1 });
    }
    return Array.isArray(documents) ? documents : [];
  } catch (error) {
    // The parser is recursive: a text of nothing but brackets ends its stack.
    if (error instanceof RangeError) {
      throw new YamlSyntaxError(file, 'nested too deep', { line: 1, column: 1 });
    }
    throw error;
  }
}

function hintFor(code: string, message: string): string | undefined {
  if (/\bflow (map|sequence|collection)\b/i.test(message))
    return 'Close the list or map: what [ or { begins, ] or } ends';
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'Each key may be there once';
    case 'TAB_AS_INDENT':
      return 'Indent with spaces, not with tabs';
    case 'BAD_ALIAS':
      return 'Put a text that begins with * in quotes: "* * * * *"';
    case 'BAD_SCALAR_START':
    case 'MISSING_CHAR':
    case 'BAD_INDENT':
    case 'UNEXPECTED_TOKEN':
      return 'Put text with special characters (such as ${…}, ":", "#", "@") in quotes';
    default:
      return undefined;
  }
}

function positionOf(lines: LineCounter, offset: number): TextPosition {
  const { line, col } = lines.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

class ValueReader {
  /** Aliases that are being followed: one that leads back to itself has no end. */
  readonly #following = new Set<Node>();

  constructor(
    private readonly yaml: Yaml,
    private readonly document: Document,
    private readonly file: string,
    private readonly at: (offset: number) => TextPosition,
    private readonly budget: { values: number },
    private readonly maxDepth: number,
  ) {}

  value(node: Node | null | undefined, depth: number): unknown {
    if (node === null || node === undefined) return null;
    this.budget.values -= 1;
    if (this.budget.values < 0) throw this.#fault('has too many values', node);
    if (depth > this.maxDepth) throw this.#fault(`is nested deeper than ${this.maxDepth}`, node);
    if (this.yaml.isAlias(node)) return this.#alias(node, depth);
    if (this.yaml.isScalar(node)) return this.#scalar(node.value, node);
    if (this.yaml.isSeq(node)) return node.items.map((item) => this.value(item as Node, depth + 1));
    if (!this.yaml.isMap(node)) throw this.#fault('is not a value', node);
    const made: Record<string, unknown> = {};
    for (const pair of node.items as Pair<Node, Node | null>[]) {
      const key = this.#key(pair);
      if (Object.hasOwn(made, key)) throw this.#fault(`the key "${cut(key, 40)}" is there twice`, pair.key);
      made[key] = this.value(pair.value, depth + 1);
    }
    return made;
  }

  #alias(node: Alias, depth: number): unknown {
    const target = node.resolve(this.document) as Node | undefined;
    if (target === undefined) throw this.#fault(`there is no anchor &${node.source}`, node);
    if (this.#following.has(target)) throw this.#fault(`*${node.source} leads back to itself`, node);
    this.#following.add(target);
    const value = this.value(target, depth);
    this.#following.delete(target);
    return value;
  }

  #key(pair: Pair<Node, Node | null>): string {
    const { key } = pair;
    if (!this.yaml.isScalar(key) || typeof key.value === 'object') {
      throw this.#fault(
        'a key must be a text',
        key,
        'A value that begins with { is read as an object: put ${…} in quotes',
      );
    }
    const text = String(key.value);
    if (FORBIDDEN_KEYS.has(text)) throw this.#fault(`the key "${text}" is not allowed`, key);
    if (text === '<<') throw this.#fault('merge keys (<<) are not supported', key, 'Write the keys out');
    return this.#text(text, key);
  }

  #scalar(value: unknown, node: Node): unknown {
    if (typeof value === 'string') return this.#text(value, node);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number') {
      if (!Number.isFinite(value)) throw this.#fault('the number is not finite', node);
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
        throw this.#fault('the number is too large to be kept exactly', node, 'Write it in quotes');
      }
      return value;
    }
    throw this.#fault('is not a JSON value', node);
  }

  #text(text: string, node: Node): string {
    if (text.includes('\0') || /\p{Cs}/u.test(text))
      throw this.#fault('the text has characters that are not allowed', node);
    return text;
  }

  #fault(message: string, node: Node | null, hint?: string): YamlSyntaxError {
    return new YamlSyntaxError(this.file, message, this.at(node?.range?.[0] ?? 0), hint);
  }
}

function locate(
  yaml: Yaml,
  document: Document,
  lines: LineCounter,
  pointer: string,
  part: 'value' | 'key',
): TextPosition {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~');
    if (yaml.isAlias(node)) node = (node.resolve(document) as Node | undefined) ?? null;
    if (yaml.isMap(node)) {
      const pair = node.items.find((item) => yaml.isScalar(item.key) && String(item.key.value) === name) as
        | Pair<Node, Node | null>
        | undefined;
      if (pair === undefined) break;
      offset = pair.key.range?.[0] ?? offset;
      node = pair.value;
      if (part === 'value' && node !== null && isInline(yaml, node)) offset = node.range?.[0] ?? offset;
    } else if (yaml.isSeq(node)) {
      const item = node.items[Number(name)] as Node | undefined;
      if (item === undefined) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return positionOf(lines, offset);
}

/** Whether a value stands beside its key: a block of its own is found by the key. */
const isInline = (yaml: Yaml, node: Node): boolean =>
  yaml.isCollection(node) ? node.flow === true : node.range !== null && node.range !== undefined;
