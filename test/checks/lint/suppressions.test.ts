import { describe, expect, it } from 'vitest';
import { lintTexts } from './lint-text.js';

async function told(text: string, name = 'a.ts', only: string[] = []): Promise<string[]> {
  const { findings } = await lintTexts({ [name]: text }, { only });
  return findings.map(({ rule, line, message }) => `${line} ${rule}: ${message}`);
}

describe('pao-lint-disable-next-line', () => {
  it('suppresses the named rules in the next line, with a reason', async () => {
    expect(
      await told('// pao-lint-disable-next-line injected-clock -- the clock of this test\nDate.now();\n'),
    ).toEqual([]);
    const two =
      '// pao-lint-disable-next-line injected-clock, injected-timers -- both are wanted\nsetTimeout(f, Date.now());\n';
    expect(await told(two)).toEqual([]);
    const stacked =
      '// pao-lint-disable-next-line injected-clock -- one\n// pao-lint-disable-next-line injected-timers -- two\nsetTimeout(f, Date.now());\n';
    expect(await told(stacked)).toEqual([]);
  });

  it('needs a reason', async () => {
    for (const comment of ['injected-clock', 'injected-clock --', 'injected-clock -- ']) {
      expect(await told(`// pao-lint-disable-next-line ${comment}\nDate.now();\n`)).toEqual([
        '1 suppression: A suppression without a reason suppresses nothing',
        '2 injected-clock: Date.now() asks the machine for the time',
      ]);
    }
  });

  it('needs a rule that exists', async () => {
    const { findings } = await lintTexts({
      'a.ts': '// pao-lint-disable-next-line injected-clok -- why\nf();\n',
    });
    expect(findings).toMatchObject([
      {
        rule: 'suppression',
        message: 'There is no rule "injected-clok"',
        hint: 'Did you mean injected-clock?',
      },
    ]);
    expect(await told('// pao-lint-disable-next-line -- why\n')).toEqual([
      '1 suppression: A suppression names the rules that it is about',
    ]);
  });

  it('is told when it suppresses nothing, and --fix takes it out', async () => {
    const text = 'f();\n  // pao-lint-disable-next-line injected-clock -- why not\ng();\n';
    expect(await told(text)).toEqual([
      '2 unused-suppression: There is nothing to suppress for injected-clock in the next line',
    ]);
    // A rule that was not run may have something to suppress.
    expect(await told(text, 'a.ts', ['floating-promise', 'unused-suppression'])).toEqual([]);
    expect((await lintTexts({ 'a.ts': text }, { fix: true })).texts['a.ts']).toBe('f();\ng();\n');
  });

  it('reaches no further than the next line', async () => {
    expect(
      await told('// pao-lint-disable-next-line injected-clock -- why\nDate.now();\nDate.now();\n'),
    ).toEqual(['3 injected-clock: Date.now() asks the machine for the time']);
  });

  it('is a comment of YAML as well', async () => {
    const task =
      'name: a\npipeline:\n  - id: x\n    # pao-lint-disable-next-line call-timeout -- the tool has its own\n    uses: a.b\n';
    expect(await told(task, 'a.yaml')).toEqual([]);
    expect(await told(task.replace(' -- the tool has its own', ''), 'a.yaml')).toEqual([
      '4 suppression: A suppression without a reason suppresses nothing',
      '5 call-timeout: The step "x" calls a.b without a timeout of its own',
    ]);
  });
});
