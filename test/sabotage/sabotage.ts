import { expect, it } from 'vitest';
import type { Check, CheckTools } from '../../src/checks/check.js';
import { runCheck } from '../../src/checks/run-check.js';

/** Runs the check on something broken. @throws when it does not fail with a fitting error and with a hint. */
export type ExpectFailure<Context> = (
  context: Context,
  error: RegExp,
  options?: { timeoutMs?: number; status?: 'failed' | 'warned' },
) => Promise<void>;

/**
 * A test that breaks what a check looks at and sees the check fail with a hint. `every-check.test.ts` finds these by
 * their text: the second argument must be the id itself.
 * @param how what is broken, in words: `notices ${how}`.
 */
export function sabotage<Context>(
  suite: { checks: readonly Check<Context>[]; command: string },
  id: string,
  how: string,
  breakIt: (fails: ExpectFailure<Context>) => Promise<void>,
): void {
  it(`${id} notices ${how}`, async () => {
    const check = suite.checks.find((one) => one.id === id);
    if (!check) throw new Error(`There is no check ${id}.`);
    let count = 0;
    await breakIt(async (context, error, { timeoutMs = 15_000, status = 'failed' } = {}) => {
      count++;
      const cleanUps: (() => Promise<void> | void)[] = [];
      const cleanUp: CheckTools['cleanUp'] = (_what, work) => void cleanUps.push(work);
      const result = await runCheck(check, context, {
        signal: new AbortController().signal,
        command: suite.command,
        timeoutMs,
        cleanUp,
      });
      // What is broken may be what would be cleaned up with.
      for (const work of cleanUps.reverse()) await Promise.resolve(work()).catch(() => {});
      expect(result).toMatchObject({ status, error: expect.stringMatching(error) });
      // A failed check says what to type next.
      expect(result.hint).toBeTruthy();
    });
    if (count === 0) throw new Error(`Nothing was broken for ${id}.`);
  });
}
