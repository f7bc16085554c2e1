import type { z } from 'zod';
import { cut, type Problem } from './errors.js';
import { nearest } from './nearest.js';

/** Most problems that are listed; the rest is counted. */
const MAX_PROBLEMS = 100;

type Issue = z.core.$ZodIssue;

/** Joins the parts of a path to a JSON Pointer (RFC 6901). */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The value a JSON Pointer leads to over own properties, or undefined. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

/**
 * Says in words what zod found, one problem for each thing to mend, with a pointer to it and a hint.
 * @param error what `safeParse` gave.
 * @param source the value that was parsed: what was written is quoted from it, and unions are read by it.
 * @param schema the schema, when there is one at hand: its keys are then proposed for unknown ones.
 */
export function problemsFromZod(error: z.ZodError, source?: unknown, schema?: z.ZodType): Problem[] {
  const problems = error.issues.flatMap((issue) => fromIssue(issue, [], source, schema));
  const distinct = new Map(problems.map((problem) => [`${problem.pointer}\n${problem.message}`, problem]));
  const listed = [...distinct.values()];
  if (listed.length <= MAX_PROBLEMS) return listed;
  return [
    ...listed.slice(0, MAX_PROBLEMS),
    { pointer: '', message: `and ${listed.length - MAX_PROBLEMS} more problems` },
  ];
}

/** A path without the places in lists that were not written as such: one object stands for a list of one. */
function asWritten(path: readonly PropertyKey[], source: unknown): PropertyKey[] {
  const written: PropertyKey[] = [];
  for (const part of path) {
    const value = valueAt(source, written);
    if (typeof part !== 'number' || value === undefined || Array.isArray(value)) written.push(part);
  }
  return written;
}

function fromIssue(issue: Issue, base: PropertyKey[], source: unknown, schema?: z.ZodType): Problem[] {
  const path = [...base, ...issue.path];
  const pointer = jsonPointer(asWritten(path, source));
  const written = valueAt(source, asWritten(path, source));
  switch (issue.code) {
    case 'unrecognized_keys': {
      const known = schema === undefined ? [] : keysAt(schema, path, source);
      return issue.keys.map((key) => {
        const near = nearest(key, known);
        const hint =
          near !== null
            ? `Did you mean "${near}"?`
            : known.length > 0
              ? `Known: ${known.slice(0, 30).join(', ')}`
              : 'Remove it';
        return { pointer: `${pointer}${jsonPointer([key])}`, message: `unknown key "${cut(key, 60)}"`, hint };
      });
    }
    case 'invalid_type':
      // zod says "Invalid input: …" when the schema has no words of its own.
      if (!issue.message.startsWith('Invalid input')) return [{ pointer, message: issue.message }];
      if (written === undefined) return [{ pointer, message: 'is required' }];
      return [{ pointer, message: `must be ${article(issue.expected)}, not ${describe(written)}` }];
    case 'invalid_value': {
      const values = issue.values.map((value) => String(value));
      const near = typeof written === 'string' ? nearest(written, values) : null;
      if (written === undefined && near === null && values.length > 1) {
        return [{ pointer, message: 'is required', hint: `One of ${values.join(', ')}` }];
      }
      return [
        {
          pointer,
          message:
            values.length === 1
              ? `must be ${JSON.stringify(issue.values[0])}`
              : `must be one of ${values.join(', ')}, not ${describe(written)}`,
          ...(near === null ? {} : { hint: `Did you mean "${near}"?` }),
        },
      ];
    }
    case 'invalid_union':
      return fromUnion(issue, path, source, schema);
    case 'too_small':
    case 'too_big':
      return [{ pointer, message: boundMessage(issue) }];
    case 'invalid_key':
      return issue.issues.length > 0
        ? issue.issues.map((inner) => ({ pointer, message: `the key ${messageOf(inner)}` }))
        : [{ pointer, message: 'has a key that is not allowed' }];
    case 'not_multiple_of':
      return [{ pointer, message: `must be a multiple of ${issue.divisor}` }];
    case 'custom': {
      const hint = issue.params?.['hint'];
      return [{ pointer, message: messageOf(issue), ...(typeof hint === 'string' ? { hint } : {}) }];
    }
    default:
      return [{ pointer, message: messageOf(issue) }];
  }
}

type UnionIssue = Extract<Issue, { code: 'invalid_union' }>;

/** Of a union only the branch that was most likely meant is told: the one whose faults lie deepest, then the fewest. */
function fromUnion(issue: UnionIssue, path: PropertyKey[], source: unknown, schema?: z.ZodType): Problem[] {
  const pointer = jsonPointer(path);
  const written = valueAt(source, path);
  // zod says "Invalid input" when nobody gave the union words of its own.
  const worded = issue.message !== 'Invalid input';
  if (issue.errors.length === 0) {
    const options = (issue as { options?: unknown[] }).options?.map(String) ?? [];
    const near = typeof written === 'string' ? nearest(written, options) : null;
    const listed = options.length > 0 ? `must be one of ${options.join(', ')}` : messageOf(issue);
    const message =
      written === undefined
        ? 'is required'
        : options.length > 0
          ? `${listed}, not ${describe(written)}`
          : listed;
    const hint =
      near !== null
        ? `Did you mean "${near}"?`
        : written === undefined && options.length > 0
          ? `One of ${options.join(', ')}`
          : undefined;
    return [{ pointer, message, ...(hint === undefined ? {} : { hint }) }];
  }
  if (written === undefined) return [{ pointer, message: 'is required' }];
  const inside = issue.errors.filter((errors) => !errors.some((one) => wrongKind(one)));
  const best = inside.sort((left, right) => left.length - right.length)[0];
  if (best !== undefined) return best.flatMap((inner) => fromIssue(inner as Issue, path, source, schema));
  if (worded) return [{ pointer, message: `${messageOf(issue)}, not ${describe(written)}` }];
  const wanted = issue.errors.flatMap((errors) =>
    errors.map((one) =>
      one.code === 'invalid_type'
        ? article(one.expected)
        : one.code === 'invalid_value'
          ? one.values.map((value) => JSON.stringify(value)).join(' or ')
          : messageOf(one as Issue),
    ),
  );
  return [{ pointer, message: `must be ${[...new Set(wanted)].join(' or ')}, not ${describe(written)}` }];
}

/** Whether a branch of a union does not fit at all, rather than fits with a fault inside. */
function wrongKind(issue: { code: string; path: PropertyKey[] }): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function boundMessage(issue: Extract<Issue, { code: 'too_small' | 'too_big' }>): string {
  if (issue.message !== '' && !/^Too (small|big)/.test(issue.message)) return issue.message;
  const small = issue.code === 'too_small';
  const limit = Number(small ? issue.minimum : issue.maximum);
  const bound = `${small ? 'at least' : 'at most'} ${limit}`;
  switch (issue.origin) {
    case 'string':
      return small && limit === 1 ? 'must not be empty' : `must have ${bound} characters`;
    case 'array':
    case 'set':
      return `must have ${bound} element${limit === 1 ? '' : 's'}`;
    case 'object':
    case 'map':
      return `must have ${bound} key${limit === 1 ? '' : 's'}`;
    default:
      return `must be ${issue.inclusive === false ? (small ? `more than ${limit}` : `less than ${limit}`) : bound}`;
  }
}

const FORMATS: Record<string, string> = {
  datetime: 'must be an RFC 3339 instant such as 2026-11-24T06:30:00Z',
  date: 'must be a date such as 2026-11-24',
  email: 'must be an e-mail address',
  url: 'must be a URL',
  uuid: 'must be a UUID',
};

function messageOf(issue: { code?: string | undefined; message: string; format?: unknown }): string {
  if (issue.code === 'invalid_format' && issue.message.startsWith('Invalid')) {
    const known = FORMATS[String(issue.format)];
    return known ?? 'is not written as it must be';
  }
  return issue.message === 'Invalid input' ? 'is not allowed here' : issue.message;
}

const ARTICLES: Record<string, string> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
};

function article(expected: string): string {
  return ARTICLES[expected] ?? expected;
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return cut(JSON.stringify(value) ?? String(value), 60);
}

/** The keys an object may have at a path of a schema, as far as the schema tells without being run. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[], source: unknown): string[] {
  let candidates: Definition[] = [definitionOf(schema)];
  let value = source;
  for (const part of path) {
    candidates = candidates.flatMap((one) => options(one, value)).flatMap((one) => childOf(one, part));
    value = valueAt(value, [part]);
  }
  const keys = candidates
    .flatMap((one) => options(one, value))
    .flatMap((one) => Object.keys(one.shape ?? {}));
  return [...new Set(keys)];
}

interface Definition {
  type: string;
  shape?: Record<string, z.ZodType>;
  element?: z.ZodType;
  valueType?: z.ZodType;
  innerType?: z.ZodType;
  in?: z.ZodType;
  out?: z.ZodType;
  getter?: () => z.ZodType;
  options?: z.ZodType[];
  discriminator?: string;
}

function definitionOf(schema: z.ZodType): Definition {
  return (schema as unknown as { _zod: { def: Definition } })._zod.def;
}

/** The plain definitions behind wrappers and unions. */
function options(found: Definition, value: unknown): Definition[] {
  if (found.type === 'union') {
    const all = (found.options ?? []).flatMap((one) => options(definitionOf(one), value));
    const { discriminator } = found;
    if (discriminator === undefined) return all;
    const wanted = valueAt(value, [discriminator]);
    const chosen = all.filter((one) => one.shape?.[discriminator]?.safeParse(wanted).success);
    return chosen.length > 0 ? chosen : all;
  }
  if (found.type === 'pipe') {
    const inner = [found.in, found.out].filter((one) => one !== undefined).map(definitionOf);
    return inner.flatMap((one) => (one.type === 'transform' ? [] : options(one, value)));
  }
  if (found.type === 'lazy' && found.getter !== undefined)
    return options(definitionOf(found.getter()), value);
  return found.innerType === undefined ? [found] : options(definitionOf(found.innerType), value);
}

function childOf(found: Definition, part: PropertyKey): Definition[] {
  const child = found.shape?.[String(part)] ?? found.element ?? found.valueType;
  return child === undefined ? [] : [definitionOf(child)];
}
