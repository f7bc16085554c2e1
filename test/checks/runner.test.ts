import { describe, expect, it } from 'vitest';
import {
  type Check,
  CheckFailure,
  CheckSkipped,
  CheckWarning,
  type Requirement,
  type Suite,
  type SuiteOptions,
} from '../../src/checks/check.js';
import { runSuite, type SuiteObserver } from '../../src/checks/runner.js';

const OPTIONS: SuiteOptions = {
  packageRoot: '/',
  version: '1.2.3',
  target: null,
  only: [],
  skip: [],
  failFast: false,
  timeoutMs: null,
  strict: false,
  allowDisruptive: false,
  signal: new AbortController().signal,
  env: {},
};

type Context = { log: string[] };

function aCheck(id: string, changes: Partial<Check<Context>> = {}): Check<Context> {
  return {
    id,
    title: `${id} works`,
    group: 'Group',
    run: async ({ log }) => {
      log.push(id);
      return { id };
    },
    ...changes,
  };
}

const fails = async () => {
  throw new CheckFailure('It is broken.', 'pao status', { seen: 1 });
};

async function run(
  checks: Check<Context>[],
  changes: Partial<SuiteOptions> = {},
  more: {
    has?: Requirement[];
    ephemeral?: boolean;
    observer?: SuiteObserver;
    dispose?: () => Promise<void>;
  } = {},
) {
  const log: string[] = [];
  const suite: Suite<Context> = {
    id: 'a-suite',
    title: 'A suite',
    command: 'pao a suite',
    checks,
    setUp: async () => ({
      context: { log },
      target: { url: null, store: 'sqlite', bus: 'memory', ephemeral: more.ephemeral ?? true },
      has: new Set(more.has ?? []),
      dispose: async () => {
        log.push('disposed');
        await more.dispose?.();
      },
      secrets: ['hunter22'],
    }),
  };
  const outcome = await runSuite(suite, { ...OPTIONS, ...changes }, more.observer);
  const results = Object.fromEntries(outcome.report.checks.map((check) => [check.id, check]));
  return { ...outcome, results, log };
}

/** Resolves when so many callers wait for it: they are seen to run at the same time. */
function meeting(size: number): () => Promise<void> {
  let count = 0;
  let open = () => {};
  const met = new Promise<void>((resolve) => {
    open = resolve;
  });
  return () => {
    if (++count === size) open();
    return met;
  };
}

describe('order', () => {
  it('runs what a check needs before it, and independent ones side by side', async () => {
    const together = meeting(2);
    const meets = async ({ log }: Context) => {
      await together();
      log.push('met');
      return {};
    };
    const { log, report } = await run([
      aCheck('last', { needs: ['a', 'b'] }),
      aCheck('a', { run: meets }),
      aCheck('b', { run: meets }),
    ]);
    expect(log).toEqual(['met', 'met', 'last', 'disposed']);
    expect(report.totals).toEqual({ passed: 3, failed: 0, warned: 0, skipped: 0 });
    expect(report.checks.map(({ id }) => id)).toEqual(['last', 'a', 'b']);
  });

  it('runs no more at once than it is told, and an exclusive one alone', async () => {
    let now = 0;
    const most = { plain: 0, exclusive: 0 };
    const counts = (kind: keyof typeof most) => async () => {
      most[kind] = Math.max(most[kind], ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return {};
    };
    await run(
      [
        aCheck('alone', { isExclusive: true, run: counts('exclusive') }),
        ...['a', 'b', 'c', 'd'].map((id) => aCheck(id, { run: counts('plain') })),
        aCheck('alone2', { isExclusive: true, run: counts('exclusive') }),
      ],
      { concurrency: 2 },
    );
    expect(most).toEqual({ plain: 2, exclusive: 1 });
  });
});

describe('outcomes', () => {
  it('keeps what a check threw: failure, warning, skip, anything', async () => {
    const { results, report } = await run([
      aCheck('failed', { run: fails }),
      aCheck('warned', {
        run: async () => {
          throw new CheckWarning('Look at it.', 'pao doctor');
        },
      }),
      aCheck('skipped', {
        run: async () => {
          throw new CheckSkipped('There is nothing to check.', 'pao init');
        },
      }),
      aCheck('broken', {
        run: async () => {
          throw new TypeError('x is not a function');
        },
      }),
    ]);
    expect(report.status).toBe('failed');
    expect(results['failed']).toMatchObject({
      status: 'failed',
      error: 'It is broken.',
      evidence: { seen: 1 },
    });
    expect(results['warned']).toMatchObject({ status: 'warned', hint: 'pao doctor' });
    expect(results['skipped']).toMatchObject({ status: 'skipped', error: 'There is nothing to check.' });
    expect(results['broken']).toMatchObject({
      status: 'failed',
      hint: 'pao a suite --only broken --verbose',
    });
    expect(results['broken']?.error).toContain('x is not a function');
  });

  it('passes with a warning, and fails with --strict', async () => {
    const warns = aCheck('a', {
      run: async () => {
        throw new CheckWarning('Look at it.', 'pao doctor');
      },
    });
    expect((await run([warns])).report.status).toBe('passed');
    expect((await run([warns], { strict: true })).report.status).toBe('failed');
  });

  it('fails a check that does not end in time, even one that heeds nothing', async () => {
    const { results } = await run([aCheck('slow', { timeoutMs: 5, run: () => new Promise(() => {}) })]);
    expect(results['slow']).toMatchObject({
      status: 'failed',
      error: 'It took longer than 5ms.',
      hint: 'pao a suite --only slow --timeout 10ms',
    });
  });

  it('hides secrets in all that is reported', async () => {
    const { report } = await run([
      aCheck('a', { run: async () => ({ token: 'Bearer hunter22' }) }),
      aCheck('b', {
        run: async () => {
          throw new CheckFailure('hunter22 was refused', 'curl -H hunter22', {});
        },
      }),
    ]);
    expect(JSON.stringify(report)).not.toContain('hunter22');
    expect(report.checks[0]?.evidence).toEqual({ token: 'Bearer ***' });
  });
});

describe('skipping', () => {
  it('skips what needs a check that failed, and what needs that one', async () => {
    const { results } = await run([
      aCheck('a', { run: fails }),
      aCheck('b', { needs: ['a'] }),
      aCheck('c', { needs: ['b'] }),
      aCheck('d'),
    ]);
    expect(results['b']).toMatchObject({ status: 'skipped', error: 'It needs a, which failed.' });
    expect(results['c']).toMatchObject({ status: 'skipped', error: 'It needs b, which was skipped.' });
    expect(results['d']?.status).toBe('passed');
  });

  it('skips what needs something that is not there, and what would disturb a live system', async () => {
    const checks = [aCheck('a', { requires: ['postgres'] }), aCheck('b', { isDisruptive: true })];
    const live = await run(checks, {}, { ephemeral: false });
    expect(live.results['a']?.error).toBe('There is no PostgreSQL.');
    expect(live.results['b']).toMatchObject({
      status: 'skipped',
      error: 'It would disturb a live system.',
      hint: 'pao a suite --allow-disruptive',
    });
    const allowed = await run(checks, { allowDisruptive: true }, { ephemeral: false, has: ['postgres'] });
    expect(allowed.report.totals.passed).toBe(2);
  });

  it('runs only what is asked for and what that needs; what is left out says so', async () => {
    const checks = [aCheck('a.x'), aCheck('a.y', { needs: ['a.x'] }), aCheck('b.x'), aCheck('b.y')];
    expect((await run(checks, { only: ['a.y'] })).log).toEqual(['a.x', 'a.y', 'disposed']);
    const { results, log } = await run(checks, { only: ['b.*'], skip: ['*.y'] });
    expect(log).toEqual(['b.x', 'disposed']);
    expect(results['b.y']).toMatchObject({ status: 'skipped', error: 'Left out with --skip.' });
  });

  it('refuses an unknown id with the nearest one, before anything starts', async () => {
    await expect(run([aCheck('briefing.delivered')], { only: ['briefing.deliverd'] })).rejects.toMatchObject({
      exitCode: 2,
      hints: ['Did you mean briefing.delivered?', 'pao a suite --list'],
    });
  });

  it('starts nothing more after a failure with --fail-fast', async () => {
    const { results, log } = await run([aCheck('a', { run: fails }), aCheck('b')], {
      failFast: true,
      concurrency: 1,
    });
    expect(log).toEqual(['disposed']);
    expect(results['b']?.error).toBe('Not run: a failed, and --fail-fast was given.');
  });
});

describe('the end', () => {
  it('cleans up last first after all checks, also after a failure, and then takes the system down', async () => {
    const { log } = await run([
      aCheck('a', {
        run: async (context, { cleanUp }) => {
          cleanUp('the first', () => void context.log.push('first'));
          cleanUp('the second', () => void context.log.push('second'));
          return fails();
        },
      }),
      aCheck('b', { needs: [] }),
    ]);
    expect(log).toEqual(['b', 'second', 'first', 'disposed']);
  });

  it('says what could not be removed', async () => {
    const { results } = await run([
      aCheck('a', {
        run: async (_, { cleanUp }) => {
          cleanUp('the task x', () => Promise.reject(new Error('no answer')));
          return {};
        },
      }),
    ]);
    expect(results['a']).toMatchObject({
      status: 'warned',
      error: 'It could not remove the task x: no answer',
    });
  });

  it('stops at Ctrl-C: what ran is reported, what was made is removed', async () => {
    const controller = new AbortController();
    const { results, log, report, wasInterrupted } = await run(
      [
        aCheck('a'),
        aCheck('b', {
          needs: ['a'],
          run: async (context, { cleanUp, signal }) => {
            cleanUp('a thing', () => void context.log.push('removed'));
            controller.abort(new Error('Ctrl-C'));
            return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
          },
        }),
        aCheck('c', { needs: ['b'] }),
      ],
      { signal: controller.signal },
    );
    expect(log).toEqual(['a', 'removed', 'disposed']);
    expect([results['a']?.status, results['b']?.error, results['c']?.error]).toEqual([
      'passed',
      'Interrupted while it ran.',
      'Not run: interrupted.',
    ]);
    expect(report.status).toBe('failed');
    expect(wasInterrupted).toBe(true);
  });

  it('reports every check as not run when there is nothing to check', async () => {
    const suite: Suite<Context> = {
      id: 's',
      title: 's',
      command: 'pao s',
      checks: [aCheck('a')],
      setUp: () => Promise.reject(new Error('no server')),
    };
    const { report, failure } = await runSuite(suite, OPTIONS);
    expect(failure).toEqual(new Error('no server'));
    expect(report).toMatchObject({ status: 'failed', totals: { skipped: 1 } });
    expect(report.checks[0]?.error).toContain('no server');
  });

  it('gives a failed end of the system back, besides the report', async () => {
    const { failure, report } = await run(
      [aCheck('a')],
      {},
      { dispose: () => Promise.reject(new Error('stuck')) },
    );
    expect(failure).toEqual(new Error('stuck'));
    expect(report).toMatchObject({ status: 'failed', totals: { passed: 1 } });
  });
});
