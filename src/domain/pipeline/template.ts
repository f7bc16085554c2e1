import { FORBIDDEN_KEYS } from '../forbidden-keys.js';
import { jsonPointer } from '../problems-from-zod.js';
import { REDACTED } from '../redact.js';
import {
  type CompiledExpression,
  compileExpression,
  isSecret,
  type SecretReference,
} from './compile-expression.js';
import { evaluate } from './expression/evaluate.js';
import { ExpressionEvaluationError, ExpressionSyntaxError } from './expression/expression-error.js';
import { Budget, isObject, isTruthy } from './expression/json-values.js';
import { findMissing, type Path, plainPath } from './expression/plain-path.js';
import type { ExpressionNode } from './expression/syntax-tree.js';
import { PIPELINE_FUNCTIONS } from './pipeline-functions.js';
import { splitTemplate, UnclosedTemplateError } from './split-template.js';
import { TemplateError } from './template-error.js';

/** Largest rendered value, in characters of JSON. */
export const MAX_RENDERED_SIZE = 1_048_576;
/** Most steps the expressions of one value may take together; some hundred milliseconds at worst. */
export const MAX_EVALUATION_STEPS = 1_000_000;

/** What the names in an expression refer to. */
export interface TemplateScope {
  /** Root names (`task`, `run`, `steps`, …) and their values. */
  values: Readonly<Record<string, unknown>>;
  /** IANA zone of the functions for dates. */
  zone: string;
}

export interface RenderOptions {
  /** Resolves `secrets.NAME` at the last moment; without it a secret is an error. */
  secret?: (name: string) => string;
  /** Puts `***` where secrets would stand, for what is recorded. */
  redactSecrets?: boolean;
  /** JSON Pointer of the value, put before the pointers of errors. */
  pointer?: string;
}

export interface Rendered {
  /** The value; parts of the scope are shared with it and must not be changed. */
  value: unknown;
  /** Names of the secrets in it, sorted. */
  secrets: string[];
}

type Compiled =
  | { type: 'constant'; value: unknown }
  | { type: 'list'; items: Compiled[] }
  | { type: 'object'; entries: [string, Compiled][] }
  | { type: 'string'; pointer: string; parts: (string | CompiledPart)[]; whole: boolean };

interface CompiledPart {
  expression: CompiledExpression | null;
  secret: string | null;
}

/** A JSON value with templates in its strings, compiled; make one with {@link compileTemplate}. */
export class CompiledTemplate {
  constructor(
    readonly root: Compiled,
    /** Names of the secrets that are referred to, sorted. */
    readonly secrets: readonly string[],
  ) {}

  /** Whether there is nothing to render. */
  get isConstant(): boolean {
    return this.root.type === 'constant';
  }
}

/**
 * Compiles the templates in all strings of a JSON value; keys of objects are never templates.
 * @throws TemplateError kind `syntax`, with the position in the string.
 */
export function compileTemplate(value: unknown, pointer = ''): CompiledTemplate {
  const secrets = new Set<string>();
  const root = compileValue(value, pointer, secrets);
  return new CompiledTemplate(root, [...secrets].sort());
}

/**
 * Renders a JSON value, or what {@link compileTemplate} made of it. What was rendered is never rendered again.
 * @throws TemplateError kind `missing` for a path that leads nowhere (not with `?`), `limit`, `type`, `value`, `secret`.
 */
export function renderTemplate(
  template: unknown,
  scope: TemplateScope,
  options: RenderOptions = {},
): Rendered {
  const pointer = options.pointer ?? '';
  const compiled = template instanceof CompiledTemplate ? template : compileTemplate(template, pointer);
  if (compiled.isConstant) return { value: (compiled.root as { value: unknown }).value, secrets: [] };
  const renderer = new Renderer(scope, options);
  return { value: renderer.render(compiled.root), secrets: [...compiled.secrets] };
}

/**
 * Evaluates the condition of an `if`, a filter or a `when`: an expression, bare or in `${…}`.
 * What is missing counts as null, so a condition about a step that failed is simply false.
 * @throws TemplateError
 */
export function evaluateCondition(
  text: string,
  values: Readonly<Record<string, unknown>>,
  options: { zone?: string; pointer?: string } = {},
): boolean {
  return isTruthy(evaluateExpression(text, values, { ...options, lenient: true }));
}

/**
 * Evaluates one expression, bare or in `${…}`, and keeps the type of its value.
 * @throws TemplateError kind `missing` for a path that leads nowhere, unless it ends in `?` or `lenient` is set.
 */
export function evaluateExpression(
  text: string,
  values: Readonly<Record<string, unknown>>,
  options: { zone?: string; pointer?: string; lenient?: boolean } = {},
): unknown {
  const pointer = options.pointer ?? '';
  const expression = compileBareExpression(text, pointer);
  const budget = new Budget(MAX_EVALUATION_STEPS, MAX_RENDERED_SIZE);
  const scope = { values, zone: options.zone ?? 'UTC' };
  const value = evaluateIn(scope, expression, budget, pointer, options.lenient === true);
  bound(new SizeCount(), value, pointer);
  return value;
}

/**
 * Compiles one expression, bare or in `${…}`, that may not hold a secret.
 * @throws TemplateError kind `syntax` or `secret`.
 */
export function compileBareExpression(text: string, pointer: string): CompiledExpression {
  const trimmed = text.trim();
  let source = text;
  let offset = 0;
  if (trimmed.startsWith('${')) {
    const parts = splitOrThrow(trimmed, pointer);
    const [only] = parts;
    if (parts.length !== 1 || only?.type !== 'expression') {
      throw new TemplateError('syntax', 'Only one ${…} may stand here, with no text around it.', pointer);
    }
    source = only.source;
    offset = text.indexOf('${') + 2;
  }
  const found = compilePart(source, offset, text, pointer);
  if (isSecret(found)) {
    throw new TemplateError('secret', 'A secret may be used in `with` only.', pointer);
  }
  return found;
}

/** A template in a value: what it compiled to, or why it did not. `pointer` leads to the string it is in. */
export type TemplateExpression =
  | { pointer: string; expression: CompiledExpression | SecretReference; error: null }
  | { pointer: string; expression: null; error: TemplateError };

/** Every template in the strings of a JSON value, also those at fault: for checks that tell all problems at once. */
export function templateExpressions(value: unknown, pointer: string): TemplateExpression[] {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => templateExpressions(item, `${pointer}/${index}`));
  }
  if (isObject(value)) {
    return Object.entries(value).flatMap(([key, item]) =>
      templateExpressions(item, `${pointer}${jsonPointer([key])}`),
    );
  }
  if (typeof value !== 'string' || !value.includes('${')) return [];
  try {
    return splitOrThrow(value, pointer).flatMap((part): TemplateExpression[] => {
      if (part.type === 'text') return [];
      try {
        return [{ pointer, expression: compilePart(part.source, part.at, value, pointer), error: null }];
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        return [{ pointer, expression: null, error }];
      }
    });
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return [{ pointer, expression: null, error }];
  }
}

function compileValue(value: unknown, pointer: string, secrets: Set<string>): Compiled {
  if (typeof value === 'string') return compileString(value, pointer, secrets);
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileValue(item, `${pointer}/${index}`, secrets));
    return items.every((item, index) => item.type === 'constant' && item.value === value[index])
      ? { type: 'constant', value }
      : { type: 'list', items };
  }
  if (!isObject(value)) return { type: 'constant', value };
  for (const key of Object.keys(value)) {
    if (FORBIDDEN_KEYS.has(key)) {
      throw new TemplateError('value', `The key "${key}" is not allowed.`, pointer);
    }
  }
  const entries = Object.entries(value).map(([key, item]): [string, Compiled] => [
    key,
    compileValue(item, `${pointer}${jsonPointer([key])}`, secrets),
  ]);
  return entries.every(([key, item]) => item.type === 'constant' && item.value === value[key])
    ? { type: 'constant', value }
    : { type: 'object', entries };
}

function compileString(text: string, pointer: string, secrets: Set<string>): Compiled {
  if (!text.includes('${')) return { type: 'constant', value: text };
  const parts: (string | CompiledPart)[] = [];
  for (const part of splitOrThrow(text, pointer)) {
    if (part.type === 'text') {
      parts.push(part.text);
      continue;
    }
    const found = compilePart(part.source, part.at, text, pointer);
    if (isSecret(found)) {
      secrets.add(found.secret);
      parts.push({ secret: found.secret, expression: null });
    } else {
      parts.push({ secret: null, expression: found });
    }
  }
  const [only] = parts;
  if (parts.length === 1 && typeof only === 'string') return { type: 'constant', value: only };
  return { type: 'string', pointer, parts, whole: parts.length === 1 };
}

function splitOrThrow(text: string, pointer: string) {
  try {
    return splitTemplate(text);
  } catch (error) {
    if (!(error instanceof UnclosedTemplateError)) throw error;
    throw new TemplateError(
      'syntax',
      `"\${" at character ${error.at + 1} has no closing "}".`,
      pointer,
      'Close it, or write $${ for a plain ${',
    );
  }
}

function compilePart(source: string, offset: number, text: string, pointer: string) {
  try {
    return compileExpression(source);
  } catch (error) {
    if (!(error instanceof ExpressionSyntaxError)) throw error;
    const at = offset + error.at;
    const near = text.slice(Math.max(0, at - 20), at + 20);
    throw new TemplateError(
      'syntax',
      `Expression not understood at character ${at + 1}: ${error.message} (near ${JSON.stringify(near)}).`,
      pointer,
      error.hint,
    );
  }
}

class Renderer {
  readonly #budget = new Budget(MAX_EVALUATION_STEPS, MAX_RENDERED_SIZE);
  readonly #size = new SizeCount();

  constructor(
    private readonly scope: TemplateScope,
    private readonly options: RenderOptions,
  ) {}

  render(node: Compiled): unknown {
    switch (node.type) {
      case 'constant':
        return node.value;
      case 'list':
        return node.items.map((item) => this.render(item));
      case 'object': {
        const made: Record<string, unknown> = {};
        for (const [key, item] of node.entries) made[key] = this.render(item);
        return made;
      }
      case 'string': {
        const [first] = node.parts;
        if (node.whole && typeof first === 'object') {
          const value = this.#part(first, node.pointer);
          bound(this.#size, value, node.pointer);
          return value;
        }
        let text = '';
        for (const part of node.parts) {
          text += typeof part === 'string' ? part : this.#text(this.#part(part, node.pointer), node.pointer);
          if (text.length > MAX_RENDERED_SIZE) throw tooLarge(node.pointer);
        }
        bound(this.#size, text, node.pointer);
        return text;
      }
    }
  }

  #part(part: CompiledPart, pointer: string): unknown {
    if (part.expression !== null) {
      return evaluateIn(this.scope, part.expression, this.#budget, pointer, false);
    }
    const name = part.secret as string;
    if (this.options.redactSecrets === true) return REDACTED;
    if (this.options.secret === undefined) {
      throw new TemplateError('secret', 'A secret may be used in `with` only.', pointer);
    }
    return this.options.secret(name);
  }

  #text(value: unknown, pointer: string): string {
    if (typeof value === 'string') return value;
    if (value === null || value === undefined) return '';
    // Measured before it is written out: a small expression can share one part many times over.
    bound(new SizeCount(), value, pointer);
    return JSON.stringify(value);
  }
}

function evaluateIn(
  scope: TemplateScope,
  expression: CompiledExpression,
  budget: Budget,
  pointer: string,
  lenient: boolean,
): unknown {
  const { node, optional, source } = expression;
  try {
    const value = evaluate(node, scope.values, { functions: PIPELINE_FUNCTIONS, budget, zone: scope.zone });
    if (value === null && !optional && !lenient) {
      const path = requiredPath(node);
      const missing = path === null ? null : findMissing(scope.values, path);
      if (missing !== null) {
        throw new ExpressionEvaluationError(missing.message, 'missing', missing.hint);
      }
    }
    return value;
  } catch (error) {
    if (!(error instanceof ExpressionEvaluationError)) throw error;
    if (error.kind === 'missing' && optional) return null;
    const hint =
      error.hint ?? (error.kind === 'missing' ? `If it may be absent, write \${${source}?}` : undefined);
    throw new TemplateError(error.kind, `\${${source}}: ${error.message}.`, pointer, hint);
  }
}

/** The path that has to exist for an expression to have a value: all of a plain path, the beginning of a projection. */
function requiredPath(node: ExpressionNode): Path | null {
  switch (node.type) {
    case 'projection':
    case 'value_projection':
    case 'filter':
      return requiredPath(node.left);
    case 'flatten':
      return requiredPath(node.child);
    case 'slice':
      return [];
    case 'sub':
    case 'pipe': {
      const left = plainPath(node.left);
      if (left === null) return requiredPath(node.left);
      const right = requiredPath(node.right);
      return right === null ? null : [...left, ...right];
    }
    default:
      return plainPath(node);
  }
}

class SizeCount {
  used = 0;
}

/** Adds the size of a value to what was rendered so far. */
function bound(size: SizeCount, value: unknown, pointer: string): void {
  if (typeof value === 'string') size.used += value.length + 2;
  else if (Array.isArray(value)) {
    size.used += 2;
    for (const item of value) bound(size, item, pointer);
  } else if (isObject(value)) {
    size.used += 2;
    for (const key of Object.keys(value)) {
      size.used += key.length + 4;
      bound(size, value[key], pointer);
    }
  } else size.used += 5;
  if (size.used > MAX_RENDERED_SIZE) throw tooLarge(pointer);
}

function tooLarge(pointer: string): TemplateError {
  return new TemplateError(
    'limit',
    'The rendered value is larger than 1 MiB.',
    pointer,
    'Pass less: pick fields with [*].{id: id}, or a slice such as [:20]',
  );
}
