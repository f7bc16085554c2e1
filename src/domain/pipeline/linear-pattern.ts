import { RE2JS } from 're2js';
import { cut } from '../errors.js';

/** A longer text is not looked at by `pattern` and `format`: it does not match. */
export const MAX_TESTED_TEXT = 65_536;
const MAX_PATTERN = 1000;

/**
 * RE2 in place of RegExp: a hostile pattern can not take exponential time (security.md C2.9).
 * @throws Error when it is too long or RE2 does not know it.
 */
export function linearRegExp(pattern: string): RegExp {
  if (pattern.length > MAX_PATTERN) throw new Error(`has more than ${MAX_PATTERN} characters`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${JSON.stringify(cut(pattern, 80))} is not a pattern we can use (${cut(reason, 100)}); look-ahead, look-behind and back references are not`,
      { cause: error },
    );
  }
  const test = (text: string): boolean => text.length <= MAX_TESTED_TEXT && compiled.matcher(text).find();
  // Ajv tells patterns apart by their text.
  return { test, toString: () => pattern } as unknown as RegExp;
}
linearRegExp.code = 'linearRegExp';
