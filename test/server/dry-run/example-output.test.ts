import { expect, test } from 'vitest';
import type { Tool } from '../../../src/domain/tool.js';
import { exampleAnswer, exampleOf } from '../../../src/server/dry-run/example-output.js';

const tool = (kind: string, more: object = {}) => ({ address: 'a.b', kind, ...more }) as unknown as Tool;

test('an example has the shape that a schema describes, with one item in each list', () => {
  expect(
    exampleOf({
      type: 'object',
      properties: {
        items: { type: 'array', items: { $ref: '#/$defs/mail' } },
        at: { type: 'string', format: 'date-time' },
        count: { type: 'integer', minimum: 1 },
        kind: { enum: ['a', 'b'] },
        either: { oneOf: [{ const: 7 }, { type: 'string' }] },
        both: { allOf: [{ properties: { x: { type: 'boolean' } } }, { properties: { y: { default: 2 } } }] },
        open: {},
      },
      $defs: { mail: { type: 'object', properties: { subject: { type: ['string', 'null'] } } } },
    }),
  ).toEqual({
    items: [{ subject: '' }],
    at: '2026-01-01T00:00:00Z',
    count: 1,
    kind: 'a',
    either: 7,
    both: { x: false, y: 2 },
    open: null,
  });
});

test('a schema that refers to itself, or to nothing, ends', () => {
  const list = { type: 'array', items: { $ref: '#/$defs/node' } };
  const node = { type: 'object', properties: { next: list } };
  expect(JSON.stringify(exampleOf({ $ref: '#/$defs/node', $defs: { node } })).length).toBeLessThan(200);
  expect(exampleOf({ $ref: '#/$defs/none' })).toBeNull();
  expect(exampleOf({ $ref: 'https://example.org/schema' })).toBeNull();
});

test('a model answers in the form it is asked for, or in words', () => {
  const schema = { type: 'object', properties: { must_dos: { type: 'array', items: { type: 'string' } } } };
  expect(exampleAnswer(tool('llm'), { prompt: 'x', schema })).toEqual({ must_dos: [''] });
  expect(exampleAnswer(tool('llm'), { prompt: 'x' })).toEqual({ text: '' });
  expect(exampleAnswer(tool('http', { output_schema: schema }), {})).toEqual({ must_dos: [''] });
  expect(exampleAnswer(tool('http'), {})).toBeNull();
});
