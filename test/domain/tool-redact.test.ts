import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/domain/redact.js';

function redactorOf(...values: string[]): Redactor {
  const redactor = new Redactor();
  for (const value of values) redactor.register(value);
  return redactor;
}

describe('a redactor', () => {
  const secret = 'p@ss/w+rd "ü"=1';

  it.each([
    ['plain', secret],
    ['percent-encoded', encodeURIComponent(secret)],
    [
      'percent-encoded in lower case',
      encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
    ],
    ['in a form', new URLSearchParams({ a: secret }).toString().slice(2)],
    ['in JSON', JSON.stringify(secret).slice(1, -1)],
    ['in hexadecimal', Buffer.from(secret).toString('hex')],
    ['in base64', Buffer.from(secret).toString('base64').replace(/=+$/, '')],
  ])('hides a secret that is %s', (_form, text) => {
    const clean = redactorOf(secret).redactText(`before ${text} after`);
    expect(clean).toContain('***');
    expect(clean).not.toContain(text);
    expect(clean.startsWith('before ')).toBe(true);
    expect(clean.endsWith(' after')).toBe(true);
  });

  it('hides a secret inside longer base64, wherever it begins', () => {
    const redactor = redactorOf('correct-horse-battery');
    for (const user of ['a', 'ab', 'abc', 'abcd']) {
      const header = Buffer.from(`${user}:correct-horse-battery!`).toString('base64');
      expect(redactor.redactText(`Basic ${header}`)).toContain('***');
    }
  });

  it('hides the longer of two secrets that begin alike, and leaves nothing of it', () => {
    expect(redactorOf('token', 'token-and-more').redactText('x token-and-more y token')).toBe('x *** y ***');
  });

  it('treats secrets as text, not as patterns', () => {
    expect(redactorOf('a.*b(c').redactText('aXXb(c a.*b(c')).toBe('aXXb(c ***');
  });

  it('ignores values that are too short to be told from words', () => {
    const redactor = redactorOf('abc', '');
    expect(redactor.size).toBe(0);
    expect(redactor.redactText('abc')).toBe('abc');
  });

  it('walks JSON with its keys, and gives the same object back when nothing is hidden', () => {
    const redactor = redactorOf('hush-hush');
    const value = { a: ['x', { 'hush-hush': 'say hush-hush' }], n: 1, none: null };
    expect(redactor.redact(value)).toEqual({ a: ['x', { '***': 'say ***' }], n: 1, none: null });
    expect(value.a[1]).toEqual({ 'hush-hush': 'say hush-hush' });
    const clean = { a: [1, 'x'] };
    expect(redactor.redact(clean)).toBe(clean);
  });

  it('leaves no secret in any text that holds it', () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 4, unit: 'grapheme' }),
        fc.string(),
        fc.string(),
        (value, before, after) => {
          // A secret made of the mask's own character cannot be told from the mask.
          fc.pre(!/^\*+$/.test(value) && !'***'.includes(value));
          const clean = redactorOf(value).redactText(before + value + after);
          expect(clean.replaceAll('***', '\0')).not.toContain(value);
        },
      ),
    );
  });
});
