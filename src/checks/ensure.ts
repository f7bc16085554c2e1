import { isDeepStrictEqual } from 'node:util';
import { cut } from '../domain/errors.js';
import { CheckFailure, type Evidence } from './check.js';

/** @throws CheckFailure with the message and the hint, unless it is true. */
export function ensure(
  isTrue: unknown,
  message: string,
  hint: string,
  evidence: Evidence = {},
): asserts isTrue {
  if (!isTrue) throw new CheckFailure(message, hint, evidence);
}

/** @throws CheckFailure that says what was seen and what was expected, unless they are the same JSON. */
export function ensureEqual(
  what: string,
  seen: unknown,
  expected: unknown,
  hint: string,
  evidence: Evidence = {},
): void {
  if (isDeepStrictEqual(seen, expected)) return;
  throw new CheckFailure(`${what} is ${shown(seen)}, expected ${shown(expected)}.`, hint, {
    seen,
    expected,
    ...evidence,
  });
}

const shown = (value: unknown): string => (value === undefined ? 'missing' : cut(JSON.stringify(value), 300));
