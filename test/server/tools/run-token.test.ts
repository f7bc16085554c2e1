import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { RUN_TOKEN_FORMS, RunTokens } from '../../../src/server/tools/run-token.js';

describe('a run token', () => {
  const meta = new Map<string, string>();
  const tokens = new RunTokens({
    getMeta: async (key) => meta.get(key) ?? null,
    swapMeta: async (key, _before, after) => {
      meta.set(key, after as string);
      return true;
    },
  });
  const redactor = new Redactor();
  redactor.registerForm(RUN_TOKEN_FORMS);

  it('is hidden by its form, however it is written; every run has another one, and none makes hiding dearer', async () => {
    for (let run = 0; run < 300; run += 1) {
      redactor.registerForm(RUN_TOKEN_FORMS);
      const token = await tokens.mint(`run_${run.toString(16).padStart(32, '0')}`);
      expect(await tokens.read(token)).not.toBeNull();
      const bytes = Buffer.from(token);
      const written = [
        token,
        JSON.stringify({ authorization: `Bearer ${token}` }),
        encodeURIComponent(token),
        bytes.toString('hex'),
        bytes.toString('hex').toUpperCase(),
        ...['', 'a', 'ab', 'abc:'].flatMap((before) =>
          (['base64', 'base64url'] as const).map((form) => Buffer.from(`${before}${token}!`).toString(form)),
        ),
      ];
      for (const text of written) {
        const clean = redactor.redactText(`before ${text} after`);
        expect(clean).toMatch(/^before .*\*\*\*.* after$/);
        // At most the edges of base64, which are of its neighbours as well, are left.
        expect(clean.length).toBeLessThan(50);
      }
      const kept = { run: 'run_00', text: `pao_r_${'0'.repeat(31)}` };
      expect(redactor.redact(kept)).toBe(kept);
    }
    expect(redactor.size).toBe(1);
  });
});
