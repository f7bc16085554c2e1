import { describe, expect, it } from 'vitest';
import { PaoError } from '../../../src/domain/errors.js';
import { checkSchema, compileSchema } from '../../../src/domain/pipeline/schema-check.js';

const refusal = (schema: unknown): PaoError => {
  try {
    compileSchema(schema);
  } catch (error) {
    if (error instanceof PaoError) return error;
    throw error;
  }
  throw new Error('the schema was taken');
};

describe('checking a value against a JSON Schema', () => {
  it('tells every problem with its place, and changes nothing', () => {
    const schema = {
      type: 'object',
      properties: { count: { type: 'integer', default: 1 }, unit: { enum: ['metric', 'imperial'] } },
      required: ['count', 'x'],
      additionalProperties: false,
    };
    const value = { count: '5', unit: 'metrc', coutn: 1 };
    expect(checkSchema(schema, value)).toEqual([
      { pointer: '/x', message: 'is required' },
      { pointer: '/coutn', message: 'unknown key "coutn"', hint: 'Did you mean "count"?' },
      { pointer: '/count', message: 'must be a whole number, not "5"' },
      {
        pointer: '/unit',
        message: 'must be one of "metric", "imperial", not "metrc"',
        hint: 'Did you mean "metric"?',
      },
    ]);
    expect(value).toEqual({ count: '5', unit: 'metrc', coutn: 1 });
  });

  it('keeps patterns and formats apart', () => {
    const schema = {
      properties: { a: { pattern: '^a' }, b: { pattern: '^b' }, t: { format: 'date-time' } },
      patternProperties: { '^x-': { type: 'number' } },
    };
    expect(checkSchema(schema, { a: 'a', b: 'b', t: '2026-11-24T06:30:00Z', 'x-1': 1 })).toEqual([]);
    expect(
      checkSchema(schema, { a: 'b', b: 'a', t: 'now', 'x-1': '1' })
        .map((one) => one.pointer)
        .sort(),
    ).toEqual(['/a', '/b', '/t', '/x-1']);
  });

  it('follows references inside the schema, recursive ones too', () => {
    const tree = {
      type: 'object',
      properties: { v: { $ref: '#/$defs/n' }, children: { type: 'array', items: { $ref: '#' } } },
      $defs: { n: { type: 'number' } },
    };
    expect(
      checkSchema(tree, { v: 1, children: [{ v: 2, children: [{ v: 'x' }] }] }).map((one) => one.pointer),
    ).toEqual(['/children/0/children/0/v']);
  });

  it('takes schemas of earlier drafts, two of one $id, and the same one twice', () => {
    const draft7 = {
      $schema: 'http://json-schema.org/draft-07/schema#',
      $id: 'https://example.com/a',
      items: [{ type: 'string' }],
    };
    expect(checkSchema(draft7, [1])).toHaveLength(1);
    expect(checkSchema({ ...draft7, items: [{ type: 'number' }] }, [1])).toEqual([]);
    expect(checkSchema(structuredClone(draft7), ['a'])).toEqual([]);
  });

  it('finds equal elements whatever the order of their keys', () => {
    expect(
      checkSchema({ uniqueItems: true }, [
        { a: 1, b: 2 },
        { b: 2, a: 1 },
      ]),
    ).toHaveLength(1);
    expect(
      checkSchema(
        { uniqueItems: true },
        Array.from({ length: 20_000 }, (_, index) => ({ index })),
      ),
    ).toEqual([]);
  });

  it.each([
    [
      'a reference to elsewhere',
      { properties: { a: { $ref: 'https://example.com/x' } } },
      '/properties/a/$ref',
    ],
    ['a reference to a file', { $ref: 'other.json#/a' }, '/$ref'],
    ['an id further in', { properties: { a: { $id: 'https://example.com/x' } } }, '/properties/a/$id'],
    ['a list as schema', { properties: { a: [] } }, '/properties/a'],
    ['a type there is not', { properties: { a: { type: 'strin' } } }, '/properties/a/type'],
    ['a bound that is none', { properties: { a: { minLength: -1 } } }, '/properties/a/minLength'],
    ['a look-ahead', { items: { pattern: '^(?!a)' } }, '/items/pattern'],
    ['a key pattern that is none', { patternProperties: { '(': {} } }, '/patternProperties/('],
    ['a pattern that is too long', { pattern: 'a'.repeat(1001) }, '/pattern'],
    ['a reference to nowhere', { not: { $ref: '#/$defs/none' } }, '/not/$ref'],
    ['a name there is not', { $ref: '#tree' }, ''],
  ])('refuses %s', (_, schema, pointer) => {
    expect(refusal(schema).problems[0]?.pointer).toBe(pointer);
  });

  it('refuses schemas that are too large or nested too deep', () => {
    let deep: unknown = {};
    for (let depth = 0; depth < 40; depth += 1) deep = { not: deep };
    expect(refusal(deep).problems[0]?.message).toContain('deeper than 32');
    expect(refusal({ anyOf: Array.from({ length: 5001 }, () => ({})) }).problems[0]?.message).toContain(
      '5000 subschemas',
    );
    expect(refusal({ description: 'x'.repeat(300_000) }).problems[0]?.message).toContain('larger than');
    const loop: Record<string, unknown> = {};
    loop['not'] = loop;
    expect(refusal(loop)).toBeInstanceOf(PaoError);
  });

  it('gives up on schemas that cost exponential work, and stays usable', () => {
    const $defs: Record<string, unknown> = { d0: { type: 'string' } };
    for (let level = 1; level < 40; level += 1) {
      const $ref = `#/$defs/d${level - 1}`;
      $defs[`d${level}`] = { allOf: [{ $ref }, { $ref }] };
    }
    expect(checkSchema({ $defs, $ref: '#/$defs/d39' }, 1)[0]?.message).toContain('too much work');
    const fork = { allOf: [{ properties: { a: { $ref: '#' } } }, { properties: { a: { $ref: '#' } } }] };
    let deep: unknown = 1;
    for (let depth = 0; depth < 60; depth += 1) deep = { a: deep };
    expect(checkSchema(fork, deep)[0]?.message).toContain('too much work');
    expect(checkSchema({ $defs: { a: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' }, 1)).toHaveLength(1);
    expect(checkSchema({ type: 'number' }, 1)).toEqual([]);
  });

  it('runs hostile patterns in linear time', () => {
    expect(checkSchema({ pattern: '^(a+)+$' }, `${'a'.repeat(60_000)}!`)).toHaveLength(1);
    expect(
      checkSchema({ patternProperties: { '^(a|a)*$': false } }, { [`${'a'.repeat(60_000)}!`]: 1 }),
    ).toEqual([]);
  });
});
