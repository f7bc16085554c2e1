import { describe, expect, it } from 'vitest';
import { pipelineSchema, stepKind } from '../../../src/domain/pipeline/step.js';
import { problemsFromZod } from '../../../src/domain/problems-from-zod.js';

const problemsOf = (steps: unknown) => {
  const parsed = pipelineSchema.safeParse(steps);
  return parsed.success ? [] : problemsFromZod(parsed.error, steps, pipelineSchema);
};

describe('a step', () => {
  it('is one of five kinds, with defaults filled in', () => {
    const steps = pipelineSchema.parse([
      { id: 'call', uses: 'a.b', with: { count: 5 }, on_error: { fallback: null }, retry: {} },
      { id: 'each', uses: 'a.b', foreach: { items: 'steps.call' } },
      {
        id: 'side',
        parallel: [
          { id: 'one', uses: 'a.b' },
          { id: 'two', wait: { for: '5s' } },
        ],
      },
      { id: 'nap', wait: { event: 'mail.arrived', timeout: '1h' } },
      { id: 'ask', approve: { message: 'Send it?' } },
    ]);
    expect(steps.map(stepKind)).toEqual(['call', 'foreach', 'parallel', 'wait', 'approve']);
    expect(steps[0]?.retry).toEqual({ max: 2, backoff: 'exponential_jitter', base: '2s', cap: '60s' });
    expect(steps[1]?.foreach).toEqual({
      items: 'steps.call',
      as: 'item',
      max_concurrency: 1,
      max_items: 100,
    });
    expect(steps[4]?.approve).toEqual({ message: 'Send it?', expires_in: '24h', on_timeout: 'deny' });
  });

  it.each([
    [
      'an unknown key, with the nearest',
      { id: 'a', uses: 'a.b', tiemout: '5s' },
      '/0/tiemout',
      'unknown key',
      'Did you mean "timeout"?',
    ],
    [
      'an unknown key further in',
      { id: 'a', uses: 'a.b', retry: { maks: 1 } },
      '/0/retry/maks',
      'unknown key',
      'Did you mean "max"?',
    ],
    [
      'an unknown key side by side',
      { id: 'a', parallel: [{ id: 'b', uzes: 'a.b' }] },
      '/0/parallel/0/uzes',
      'unknown key',
      'Did you mean "uses"?',
    ],
    ['a missing id', { uses: 'a.b' }, '/0/id', 'is required', undefined],
    ['an id that is not a name', { id: '1a', uses: 'a.b' }, '/0/id', 'must be a letter', undefined],
    ['an id of the prototype', { id: 'constructor', uses: 'a.b' }, '/0/id', 'not allowed', undefined],
    ['nothing to do', { id: 'a' }, '/0', 'needs something to do', undefined],
    [
      'two things to do',
      { id: 'a', uses: 'a.b', wait: { for: '1s' } },
      '/0',
      'only one of uses and wait',
      undefined,
    ],
    [
      'foreach without a tool',
      { id: 'a', foreach: { items: 'params' } },
      '/0/uses',
      'is required with foreach',
      undefined,
    ],
    [
      'an input of a wait',
      { id: 'a', wait: { for: '1s' }, with: {} },
      '/0/with',
      'belongs to a step with uses',
      undefined,
    ],
    [
      'two ways to wait',
      { id: 'a', wait: { for: '1s', until: 'x' } },
      '/0/wait',
      'exactly one of',
      undefined,
    ],
    ['a wait for ever', { id: 'a', wait: { event: 'x' } }, '/0/wait/timeout', 'is required', undefined],
    [
      'a wrong word',
      { id: 'a', uses: 'a.b', on_error: 'contineu' },
      '/0/on_error',
      'fail, continue',
      undefined,
    ],
    [
      'a wrong word in a list of words',
      { id: 'a', uses: 'a.b', retry: { backoff: 'exponentail' } },
      '/0/retry/backoff',
      'one of',
      'Did you mean "exponential"?',
    ],
    ['a wrong type', { id: 'a', uses: 5 }, '/0/uses', 'must be a text, not 5', undefined],
    [
      'a duration that is none',
      { id: 'a', uses: 'a.b', timeout: 'soon' },
      '/0/timeout',
      'is not a duration',
      undefined,
    ],
    [
      'a number out of range',
      { id: 'a', uses: 'a.b', retry: { max: 21 } },
      '/0/retry/max',
      'at most 20',
      undefined,
    ],
    [
      'a fallback that is missing',
      { id: 'a', uses: 'a.b', on_error: {} },
      '/0/on_error/fallback',
      'is required',
      undefined,
    ],
    [
      'an item that hides the scope',
      { id: 'a', uses: 'a.b', foreach: { items: 'params', as: 'steps' } },
      '/0/foreach/as',
      'must not be one of',
      undefined,
    ],
    [
      'parallel inside parallel',
      { id: 'a', parallel: [{ id: 'b', parallel: [] }] },
      '/0/parallel/0/parallel',
      'unknown key',
      undefined,
    ],
  ])('with %s is told with its place', (_, step, pointer, message, hint) => {
    const problems = problemsOf([step]);
    const found = problems.find((problem) => problem.pointer === pointer);
    expect(problems).toContain(found);
    expect(found?.message).toContain(message);
    if (hint !== undefined) expect(found?.hint).toBe(hint);
  });

  it('is told together with all the others', () => {
    expect(
      problemsOf([{ id: 'a' }, { id: 'b', uses: 'x.y', timeout: 1 }, 5]).map((one) => one.pointer),
    ).toEqual(['/0', '/1/timeout', '/2']);
  });

  it('is one of 1 to 100, those side by side counted', () => {
    expect(problemsOf([])[0]?.message).toBe('needs at least one step');
    const side = (n: number) => ({
      id: `p${n}`,
      parallel: Array.from({ length: 20 }, (_, i) => ({ id: `s${n}_${i}`, uses: 'a.b' })),
    });
    expect(problemsOf([0, 1, 2, 3, 4].map(side))).toEqual([]);
    expect(problemsOf([0, 1, 2, 3, 4, 5].map(side))[0]?.message).toContain('at most 100');
  });
});
