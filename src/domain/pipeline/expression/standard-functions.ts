import { FORBIDDEN_KEYS } from '../../forbidden-keys.js';
import type { Evaluation, ExpressionReference } from './evaluation.js';
import { ExpressionEvaluationError } from './expression-error.js';
import type { ExpressionFunction, FunctionTable } from './functions.js';
import { type Budget, equal, jsonType } from './json-values.js';

const ANY = ['any'] as const;
const ARRAY = ['array'] as const;
const EXPRESSION = ['expression'] as const;
const NUMBER = ['number'] as const;
const OBJECT = ['object'] as const;
const STRING = ['string'] as const;

type Json = Record<string, unknown>;

/**
 * The functions of the JMESPath specification, and from JMESPath Community those that pipelines ask for most
 * (find_first, from_items, group_by, items, lower, replace, split, trim, upper, zip).
 */
export const STANDARD_FUNCTIONS: FunctionTable = new Map<string, ExpressionFunction>(
  Object.entries({
    abs: { args: [NUMBER], run: (_, value: number) => Math.abs(value) },
    avg: {
      args: [['numbers']],
      run: (_, list: number[]) => (list.length === 0 ? null : sum(list) / list.length),
    },
    ceil: { args: [NUMBER], run: (_, value: number) => Math.ceil(value) },
    contains: { args: [['array', 'string'], ANY], run: contains },
    ends_with: { args: [STRING, STRING], run: (_, text: string, end: string) => text.endsWith(end) },
    find_first: { args: [STRING, STRING], run: findFirst },
    floor: { args: [NUMBER], run: (_, value: number) => Math.floor(value) },
    from_items: { args: [ARRAY], run: fromItems },
    group_by: { args: [ARRAY, EXPRESSION], run: groupBy },
    items: { args: [OBJECT], run: ({ budget }, value: Json) => paid(budget, Object.entries(value)) },
    join: { args: [STRING, ['strings']], run: join },
    keys: { args: [OBJECT], run: ({ budget }, value: Json) => paid(budget, Object.keys(value)) },
    length: { args: [['string', 'array', 'object']], run: length },
    lower: { args: [STRING], run: ({ budget }, text: string) => checked(budget, text.toLowerCase()) },
    map: {
      args: [EXPRESSION, ARRAY],
      run: (evaluation, expression: ExpressionReference, list: unknown[]) =>
        list.map((element) => evaluation.visit(expression.node, element)),
    },
    max: { args: [['numbers', 'strings']], run: (_, list: Ordered[]) => pick(list, list, 1) },
    max_by: {
      args: [ARRAY, EXPRESSION],
      run: (evaluation, list: unknown[], by: ExpressionReference) => pickBy(1, evaluation, list, by),
    },
    merge: { args: [OBJECT], variadic: true, run: merge },
    min: { args: [['numbers', 'strings']], run: (_, list: Ordered[]) => pick(list, list, -1) },
    min_by: {
      args: [ARRAY, EXPRESSION],
      run: (evaluation, list: unknown[], by: ExpressionReference) => pickBy(-1, evaluation, list, by),
    },
    not_null: {
      args: [ANY],
      variadic: true,
      run: (_, ...values: unknown[]) => values.find((value) => value !== null) ?? null,
    },
    replace: { args: [STRING, STRING, STRING], run: replace },
    reverse: { args: [['string', 'array']], run: reverse },
    sort: {
      args: [['numbers', 'strings']],
      run: ({ budget }, list: Ordered[]) => {
        budget.spend(sortCost(list.length));
        return list.toSorted(compare);
      },
    },
    sort_by: { args: [ARRAY, EXPRESSION], run: sortBy },
    split: { args: [STRING, STRING], run: split },
    starts_with: { args: [STRING, STRING], run: (_, text: string, start: string) => text.startsWith(start) },
    sum: { args: [['numbers']], run: (_, list: number[]) => sum(list) },
    to_array: { args: [ANY], run: (_, value: unknown) => (Array.isArray(value) ? value : [value]) },
    to_number: { args: [ANY], run: toNumber },
    to_string: { args: [ANY], run: ({ budget }, value: unknown) => toText(budget, value) },
    trim: { args: [STRING], run: ({ budget }, text: string) => checked(budget, text.trim()) },
    type: { args: [ANY], run: (_, value: unknown) => jsonType(value) },
    upper: { args: [STRING], run: ({ budget }, text: string) => checked(budget, text.toUpperCase()) },
    values: { args: [OBJECT], run: ({ budget }, value: Json) => paid(budget, Object.values(value)) },
    zip: { args: [ARRAY], variadic: true, run: zip },
  } satisfies Record<string, ExpressionFunction>),
);

type Ordered = number | string;

/** Text as it is, everything else as JSON; refuses to write out a value that is too large. */
export function toText(budget: Budget, value: unknown): string {
  if (typeof value === 'string') return value;
  budget.walk(value);
  return checked(budget, JSON.stringify(value));
}

function checked(budget: Budget, text: string): string {
  budget.text(text.length);
  return text;
}

function paid<T extends unknown[]>(budget: Budget, list: T): T {
  budget.spend(list.length);
  return list;
}

function sum(list: number[]): number {
  let total = 0;
  for (const value of list) total += value;
  return total;
}

function contains({ budget }: Evaluation, where: unknown[] | string, what: unknown): boolean {
  if (typeof where === 'string') {
    budget.text(where.length);
    return typeof what === 'string' && where.includes(what);
  }
  return where.some((element) => equal(element, what, budget));
}

function findFirst({ budget }: Evaluation, text: string, what: string): number | null {
  budget.text(text.length);
  const at = text.indexOf(what);
  return at < 0 ? null : codePoints(text.slice(0, at));
}

function length({ budget }: Evaluation, value: string | unknown[] | Json): number {
  if (Array.isArray(value)) return value.length;
  if (typeof value !== 'string') return paid(budget, Object.keys(value)).length;
  budget.text(value.length);
  return codePoints(value);
}

/** JMESPath counts code points, not UTF-16 units. */
function codePoints(text: string): number {
  let points = 0;
  for (const _ of text) points += 1;
  return points;
}

function join({ budget }: Evaluation, separator: string, parts: string[]): string {
  let total = Math.max(0, parts.length - 1) * separator.length;
  for (const part of parts) total += part.length;
  budget.text(total);
  return parts.join(separator);
}

function replace({ budget }: Evaluation, text: string, what: string, by: string): string {
  if (what === '') throw new ExpressionEvaluationError('replace(): the text to look for is empty', 'value');
  const parts = text.split(what);
  budget.text(text.length + (parts.length - 1) * Math.max(0, by.length - what.length));
  return parts.join(by);
}

function split({ budget }: Evaluation, separator: string, text: string): string[] {
  budget.text(text.length);
  return paid(budget, separator === '' ? [...text] : text.split(separator));
}

function reverse({ budget }: Evaluation, value: string | unknown[]): unknown {
  if (Array.isArray(value)) return paid(budget, value.toReversed());
  budget.text(value.length);
  return [...value].reverse().join('');
}

function fromItems({ budget }: Evaluation, list: unknown[]): Json {
  const made: Json = {};
  for (const pair of paid(budget, list)) {
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string') {
      throw new ExpressionEvaluationError(
        'from_items(): every element must be a pair [text, value]',
        'value',
      );
    }
    made[allowedKey('from_items', pair[0])] = pair[1];
  }
  return made;
}

function merge({ budget }: Evaluation, ...objects: Json[]): Json {
  const made: Json = {};
  for (const object of objects) {
    for (const key of paid(budget, Object.keys(object))) made[allowedKey('merge', key)] = object[key];
  }
  return made;
}

function groupBy(evaluation: Evaluation, list: unknown[], by: ExpressionReference): Json {
  const groups: Record<string, unknown[]> = {};
  for (const element of list) {
    const key = evaluation.visit(by.node, element);
    if (key === null) continue;
    if (typeof key !== 'string') throw byType('group_by', key);
    const group = Object.hasOwn(groups, key) ? groups[key] : undefined;
    if (group === undefined) groups[allowedKey('group_by', key)] = [element];
    else group.push(element);
  }
  return groups;
}

function zip({ budget }: Evaluation, ...lists: unknown[][]): unknown[] {
  const shortest = Math.min(...lists.map((list) => list.length));
  budget.spend(shortest * lists.length);
  return Array.from({ length: shortest }, (_, index) => lists.map((list) => list[index]));
}

function toNumber(_: Evaluation, value: unknown): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^-?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?$/.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function sortBy(evaluation: Evaluation, list: unknown[], by: ExpressionReference): unknown[] {
  evaluation.budget.spend(sortCost(list.length));
  const keys = keysBy('sort_by', evaluation, list, by);
  return list
    .map((element, index) => ({ element, key: keys[index] as Ordered }))
    .sort((left, right) => compare(left.key, right.key))
    .map((entry) => entry.element);
}

function pickBy(
  direction: 1 | -1,
  evaluation: Evaluation,
  list: unknown[],
  by: ExpressionReference,
): unknown {
  return pick(list, keysBy(direction > 0 ? 'max_by' : 'min_by', evaluation, list, by), direction);
}

function pick(list: unknown[], keys: Ordered[], direction: 1 | -1): unknown {
  let best = 0;
  for (let index = 1; index < list.length; index += 1) {
    if (compare(keys[index] as Ordered, keys[best] as Ordered) * direction > 0) best = index;
  }
  return list[best] ?? null;
}

function keysBy(name: string, evaluation: Evaluation, list: unknown[], by: ExpressionReference): Ordered[] {
  const keys = list.map((element) => evaluation.visit(by.node, element));
  const type = typeof keys[0];
  for (const key of keys) {
    if ((typeof key !== 'number' && typeof key !== 'string') || typeof key !== type) throw byType(name, key);
  }
  return keys as Ordered[];
}

function byType(name: string, key: unknown): ExpressionEvaluationError {
  return new ExpressionEvaluationError(
    `${name}(): every key must be ${name === 'group_by' ? 'a text' : 'a number, or every key a text'}; one is ${jsonType(key)}`,
    'value',
  );
}

function compare(left: Ordered, right: Ordered): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

function sortCost(count: number): number {
  return count * Math.ceil(Math.log2(count + 2));
}

function allowedKey(name: string, key: string): string {
  if (FORBIDDEN_KEYS.has(key)) {
    throw new ExpressionEvaluationError(`${name}(): the key "${key}" is not allowed`, 'value');
  }
  return key;
}
