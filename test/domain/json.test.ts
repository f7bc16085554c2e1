import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  JsonSyntaxError,
  parseJsonStrict,
  sanitizeToolOutput,
} from '../../src/domain/json.js';

const failure = (input: string | Uint8Array, limits = {}): JsonSyntaxError => {
  try {
    parseJsonStrict(input, limits);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return error;
    throw error;
  }
  throw new Error('it was taken');
};

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        fc.pre(
          !/__proto__|constructor|prototype|\\u0000|\d{16}/.test(text) && !/\p{Cs}|\\ud[89a-f]/iu.test(text),
        );
        expect(parseJsonStrict(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 300 },
    );
    expect(parseJsonStrict(' {"a": [1, -0.5e3, "\\u00e9\\n\\ud83d\\ude00", true, null, {}]} ')).toEqual({
      a: [1, -500, 'é\n😀', true, null, {}],
    });
    expect(parseJsonStrict(Buffer.from('"ț"'))).toBe('ț');
  });

  it('refuses what JSON.parse refuses', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'{}[]",:01.-eE+ \n\\utrfalsn'), maxLength: 12 }),
        (text) => {
          let valid = true;
          try {
            JSON.parse(text);
          } catch {
            valid = false;
          }
          if (!valid) expect(() => parseJsonStrict(text)).toThrow(JsonSyntaxError);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['{"a": 1,\n  "b": }', 2, 8],
    ['{"a": 1,\n "a": 2}', 2, 2],
    ['[1,\n2,\n]', 3, 1],
    ["{'a': 1}", 1, 2],
    ['{"__proto__": 1}', 1, 2],
    ['{"a": {"constructor": 1}}', 1, 8],
    ['"\\ud800"', 1, 1],
    ['"a\\u0000"', 1, 1],
    ['[9007199254740993]', 1, 2],
    ['[1e999]', 1, 2],
    ['[01]', 1, 2],
    ['"a\nb"', 1, 3],
    ['{} x', 1, 4],
    ['', 1, 1],
    ['\ufeff{}', 1, 1],
    ['nul', 1, 1],
  ])('refuses %j at its line and column', (text, line, column) => {
    const error = failure(text);
    expect([error.line, error.column]).toEqual([line, column]);
    expect(error.status).toBe(400);
  });

  it('refuses bytes that are not UTF-8, with their place', () => {
    const error = failure(Buffer.concat([Buffer.from('{"a":\n"ță'), Buffer.from([0xff]), Buffer.from('"}')]));
    expect(error.message).toContain('not UTF-8');
    expect([error.line, error.column]).toEqual([2, 4]);
    expect(failure(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).message).toContain('not UTF-8');
  });

  it('refuses what is over a limit', () => {
    expect(failure('['.repeat(400_000)).status).toBe(413);
    expect(parseJsonStrict('['.repeat(32) + ']'.repeat(32))).toBeDefined();
    expect(failure('['.repeat(33) + ']'.repeat(33)).message).toContain('deeper than 32');
    expect(failure(`[${'1,'.repeat(20_000)}1]`).message).toContain('20000 values');
    expect(failure('"ță"', { maxBytes: 5 }).status).toBe(413);
  });
});

describe('the answer of a tool', () => {
  it('is the very same value when there is nothing wrong with it', () => {
    const value = { a: [1, 'x', null, { b: true }] };
    const clean = sanitizeToolOutput(value);
    expect(clean.value).toBe(value);
    expect(clean.removed).toEqual([]);
  });

  it('loses what is harmful, and says what', () => {
    const hostile = JSON.parse(
      '{"a": {"__proto__": {"x": 1}, "constructor": 2, "ok": 3}, "t": "a\\u0000\\ud800"}',
    );
    const clean = sanitizeToolOutput(hostile);
    expect(clean.value).toEqual({ a: { ok: 3 }, t: 'a\ufffd\ufffd' });
    expect(Object.getPrototypeOf((clean.value as { a: object }).a)).toBe(Object.prototype);
    expect(clean.removed).toEqual([
      'the key "__proto__"',
      'the key "constructor"',
      'characters that are not text',
    ]);
    expect(sanitizeToolOutput({ n: Number.NaN, f: () => 1, u: undefined }).value).toEqual({
      n: null,
      f: null,
      u: null,
    });
  });

  it('ends at 64 deep', () => {
    let deep: unknown = 'bottom';
    for (let depth = 0; depth < 5000; depth += 1) deep = [deep];
    const text = JSON.stringify(sanitizeToolOutput(deep).value);
    expect(text).toBe(`${'['.repeat(64)}null${']'.repeat(64)}`);
  });
});

describe('canonical JSON', () => {
  it('is the same text for equal values', () => {
    expect(canonicalJson({ b: [1, { d: 1, c: undefined }], a: 'ț' })).toBe('{"a":"ț","b":[1,{"d":1}]}');
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const turned = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJson(turned)).toBe(canonicalJson(value));
      }),
    );
  });
});
