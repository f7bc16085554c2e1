import { afterEach, describe, expect, it, vi } from 'vitest';
import { ToolError } from '../../../src/domain/tool-error.js';
import type { ToolCallContext } from '../../../src/server/tools/caller.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

type Answer = (input: unknown, context: ToolCallContext) => unknown;

let system: TestSystem;
let calls: { tool: string; input: unknown; key: string | undefined }[];
let answers: Record<string, Answer>;

async function aSystem(options: { secrets?: Record<string, string>; start?: string } = {}): Promise<void> {
  calls = [];
  answers = {};
  system = await startTestSystem({
    ...options,
    callTool: async (tool, input, context) => {
      calls.push({ tool: tool.address, input, key: context.idempotencyKey });
      // As the real callers do: an aborted call ends, whatever the other side does.
      const aborted = new Promise<never>((_, reject) =>
        context.signal.addEventListener('abort', () =>
          reject(new ToolError('canceled', 'aborted', { outcomeKnown: false })),
        ),
      );
      const output = await Promise.race([answers[tool.address]?.(input, context), aborted]);
      return { output: output ?? { ok: true }, durationMs: 1 };
    },
  });
  for (const [address, side_effect] of [
    ['a.read', 'read'],
    ['b.read', 'read'],
    ['c.send', 'once'],
  ] as const) {
    await system.addTool({ address, kind: 'http', side_effect, http: { url: 'http://example.com/' } });
  }
}

afterEach(() => system.close());

/** Waits until the run's first attempt is over and it waits for the next. */
async function backInQueue(id: string) {
  for (;;) {
    const run = await system.until(id, 'queued', 'running');
    if (run.status === 'queued' && run.attempt === 1) return run;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe('a pipeline', () => {
  it('runs its steps in order, each seeing what was saved before', async () => {
    await aSystem();
    answers['a.read'] = () => ({ items: [1, 2, 3] });
    const task = await system.addTask({
      name: 'chain',
      params: { city: 'Chisinau' },
      pipeline: [
        { id: 'one', uses: 'a.read', with: { city: '${params.city}' }, save_as: 'first' },
        {
          id: 'two',
          uses: 'b.read',
          with: { count: '${length(steps.first.items)}', list: '${steps.one.items}' },
        },
      ],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'succeeded');
    expect(calls.map(({ tool, input }) => [tool, input])).toEqual([
      ['a.read', { city: 'Chisinau' }],
      ['b.read', { count: 3, list: [1, 2, 3] }],
    ]);
    const steps = await system.steps(run.id);
    expect(steps.one).toMatchObject({
      status: 'succeeded',
      attempts: 1,
      output: { items: [1, 2, 3] },
      position: 0,
    });
    expect(run).toMatchObject({ attempt: 1, output: { ok: true }, reason: null });
  });

  it('goes on after a tolerated failure, uses the fallback and ends partial', async () => {
    await aSystem();
    answers['a.read'] = () => {
      throw new ToolError('invalid_output', 'not a number', { pointer: '/x' });
    };
    const task = await system.addTask({
      name: 'fallback',
      pipeline: [
        { id: 'one', uses: 'a.read', on_error: { fallback: { text: 'plan B' } } },
        { id: 'two', uses: 'c.send', with: { text: '${steps.one.text}', gone: '${steps.zero.x?}' } },
      ],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'partial');
    expect(run.reason).toBe('invalid_output');
    expect(calls[1]?.input).toEqual({ text: 'plan B', gone: null });
    expect((await system.steps(run.id)).one).toMatchObject({
      status: 'failed',
      reason: 'invalid_output',
      error: { pointer: '/x' },
    });
  });

  it('keeps what is known of a call when what stands in for it can not be rendered', async () => {
    await aSystem();
    answers['c.send'] = () => {
      throw new ToolError('transport', 'the answer was lost', { outcomeKnown: false });
    };
    const task = await system.addTask({
      name: 'no-fallback',
      pipeline: [{ id: 'one', uses: 'c.send', on_error: { fallback: { text: '${params.gone.text}' } } }],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'failed');
    expect(run).toMatchObject({ reason: 'template', error: { step: 'one' } });
    // It may have been sent: as a plain failure it would be sent again.
    expect((await system.steps(run.id)).one).toMatchObject({ status: 'unknown', reason: 'unknown_outcome' });
  });

  it('skips a step whose condition is false', async () => {
    await aSystem();
    const task = await system.addTask({
      name: 'gate',
      pipeline: [
        { id: 'one', uses: 'a.read', if: 'params.go' },
        { id: 'two', uses: 'b.read', if: '${!params.go}' },
      ],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task, { params: { go: false } })).id, 'succeeded');
    expect(calls.map((call) => call.tool)).toEqual(['b.read']);
    expect((await system.steps(run.id)).one).toMatchObject({ status: 'skipped', reason: 'condition' });
  });

  it('calls a foreach once for each item, keeps the order, and bounds how many at once', async () => {
    await aSystem();
    let active = 0;
    let most = 0;
    answers['a.read'] = async (input) => {
      active += 1;
      most = Math.max(most, active);
      await new Promise((resolve) => setImmediate(resolve));
      active -= 1;
      return { double: (input as { n: number }).n * 2 };
    };
    const task = await system.addTask({
      name: 'each',
      params: { list: [1, 2, 3, 4, 5] },
      pipeline: [
        {
          id: 'each',
          uses: 'a.read',
          foreach: { items: '${params.list}', as: 'x', max_concurrency: 2 },
          with: { n: '${x}' },
        },
      ],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'succeeded');
    expect(run.output).toEqual([2, 4, 6, 8, 10].map((double) => ({ double })));
    expect(most).toBe(2);
  });

  it('records an item of a foreach that is tried again later while others go on: a crash must not make it unknown', async () => {
    await aSystem();
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const tries = new Map<number, number>();
    answers['c.send'] = async (input) => {
      const { n } = input as { n: number };
      tries.set(n, (tries.get(n) ?? 0) + 1);
      if (n === 2) await held;
      if (n === 1 && tries.get(n) === 1) throw new ToolError('overloaded', 'come back later');
      return { n };
    };
    const task = await system.addTask({
      name: 'busy-item',
      params: { list: [1, 2, 3] },
      pipeline: [
        {
          id: 'each',
          uses: 'c.send',
          foreach: { items: '${params.list}', as: 'x', max_concurrency: 2 },
          with: { n: '${x}' },
          retry: { max: 2, base: '1s' },
        },
      ],
    });
    system.startWorker();
    const { id } = await system.runNow(task);
    try {
      await expect
        .poll(async () => (await system.steps(id))['each[0]'], { timeout: 20_000 })
        .toMatchObject({ status: 'waiting', reason: 'overloaded' });
      expect((await system.steps(id))['each[1]']).toMatchObject({ status: 'running' });
    } finally {
      release();
    }
  });

  it('runs parallel steps side by side and gathers their outputs', async () => {
    await aSystem();
    answers['a.read'] = () => 'A';
    answers['b.read'] = () => 'B';
    const task = await system.addTask({
      name: 'side',
      pipeline: [
        {
          id: 'both',
          parallel: [
            { id: 'x', uses: 'a.read' },
            { id: 'y', uses: 'b.read' },
          ],
        },
        { id: 'end', uses: 'c.send', with: { x: '${steps.x}', all: '${steps.both}' } },
      ],
    });
    system.startWorker();
    await system.until((await system.runNow(task)).id, 'succeeded');
    expect(calls[2]?.input).toEqual({ x: 'A', all: { x: 'A', y: 'B' } });
  });

  it('sleeps durably: the run leaves the worker and comes back in its time', async () => {
    await aSystem();
    const task = await system.addTask({
      name: 'sleep',
      pipeline: [
        { id: 'nap', wait: { for: '2h' } },
        { id: 'then', uses: 'a.read' },
      ],
    });
    system.startWorker();
    const { id } = await system.runNow(task);
    await system.until(id, 'waiting');
    expect(calls).toEqual([]);
    system.clock.advance(2 * 3_600_000);
    system.bus.publish('work', { count: 1 });
    const run = await system.until(id, 'succeeded');
    expect(run.attempt).toBe(1);
    expect(calls).toHaveLength(1);
  });

  it('keeps secrets out of every record', async () => {
    await aSystem({ secrets: { KEY: 'sekrit-value-123' } });
    answers['a.read'] = (input) => ({ echoed: input });
    const task = await system.addTask({
      name: 'secret',
      pipeline: [{ id: 'one', uses: 'a.read', with: { key: 'Bearer ${secrets.KEY}' } }],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'succeeded');
    expect(calls[0]?.input).toEqual({ key: 'Bearer sekrit-value-123' });
    expect(JSON.stringify([await system.steps(run.id), run])).not.toContain('sekrit');
  });
});

describe('a failing call', () => {
  const flaky = (times: number, error: () => ToolError): Answer => {
    let count = 0;
    return () => {
      if (count++ < times) throw error();
      return { count };
    };
  };

  it('goes back to the queue, waits its backoff, and does not repeat the steps that are done', async () => {
    await aSystem();
    answers['b.read'] = flaky(1, () => new ToolError('transport', 'refused'));
    const task = await system.addTask({
      name: 'retry',
      retry: { max: 2, backoff: 'fixed', base: '30s' },
      pipeline: [
        { id: 'one', uses: 'a.read' },
        { id: 'two', uses: 'b.read' },
      ],
    });
    system.startWorker();
    const { id } = await system.runNow(task);
    const queued = await backInQueue(id);
    expect(queued.runAt - system.clock.now()).toBe(30_000);
    expect((await system.steps(id)).two).toMatchObject({
      status: 'waiting',
      reason: 'transport',
      attempts: 1,
    });
    system.clock.advance(30_000);
    system.bus.publish('work', { count: 1 });
    const run = await system.until(id, 'succeeded');
    expect(run.attempt).toBe(2);
    expect(calls.map((call) => call.tool)).toEqual(['a.read', 'b.read', 'b.read']);
    expect((await system.steps(id)).two?.attempts).toBe(2);
  });

  it('waits for Retry-After in full, and fails at once when it is beyond the cap', async () => {
    await aSystem();
    answers['a.read'] = flaky(1, () => new ToolError('rate_limited', 'slow down', { retryAfterMs: 45_000 }));
    answers['b.read'] = () => {
      throw new ToolError('rate_limited', 'come back tomorrow', { retryAfterMs: 86_400_000 });
    };
    const pipeline = (uses: string) => [{ id: 'one', uses }];
    const patient = await system.addTask({
      name: 'patient',
      retry: { max: 2, base: '1s' },
      pipeline: pipeline('a.read'),
    });
    const doomed = await system.addTask({
      name: 'doomed',
      retry: { max: 2, base: '1s' },
      pipeline: pipeline('b.read'),
    });
    system.startWorker();
    const first = await system.runNow(patient);
    const second = await system.runNow(doomed);
    expect((await system.until(second.id, 'failed')).reason).toBe('rate_limited');
    expect((await backInQueue(first.id)).runAt - system.clock.now()).toBe(45_000);
  });

  it('is dead when its attempts are used up, and failed when retrying can not mend it', async () => {
    await aSystem();
    answers['a.read'] = () => {
      throw new ToolError('tool_error', 'always');
    };
    answers['b.read'] = () => {
      throw new ToolError('config_error', 'never');
    };
    const one = await system.addTask({
      name: 'one',
      retry: { max: 0 },
      pipeline: [{ id: 's', uses: 'a.read' }],
    });
    const two = await system.addTask({
      name: 'two',
      retry: { max: 5 },
      pipeline: [{ id: 's', uses: 'b.read' }],
    });
    system.startWorker();
    expect(await system.until((await system.runNow(one)).id, 'dead')).toMatchObject({
      reason: 'tool_error',
      error: { step: 's' },
    });
    expect(await system.until((await system.runNow(two)).id, 'failed')).toMatchObject({
      reason: 'config_error',
    });
  });

  it('is not repeated when a send may have arrived', async () => {
    await aSystem();
    answers['c.send'] = () => {
      throw new ToolError('transport', 'socket closed', { outcomeKnown: false });
    };
    const task = await system.addTask({
      name: 'send',
      retry: { max: 5, base: '10ms' },
      pipeline: [{ id: 'send', uses: 'c.send' }],
    });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'partial');
    expect(run.reason).toBe('unknown_outcome');
    expect(calls).toHaveLength(1);
    expect((await system.steps(run.id)).send).toMatchObject({ status: 'unknown' });
  });
});

describe('an idempotency key', () => {
  it('lets two runs of a task send once; the second step is skipped with the first outcome', async () => {
    await aSystem();
    answers['c.send'] = () => ({ message_id: 101 });
    const task = await system.addTask({
      name: 'once',
      pipeline: [{ id: 'send', uses: 'c.send', idempotency_key: 'day/${run.local_date}' }],
    });
    system.startWorker();
    const [first, second] = await Promise.all([system.runNow(task), system.runNow(task)]);
    // The one that finds the key taken looks again a second later.
    const moving = setInterval(() => system.clock.advance(1000), 20);
    const runs = [await system.until(first.id, 'succeeded'), await system.until(second.id, 'succeeded')];
    clearInterval(moving);
    expect(calls).toHaveLength(1);
    const steps = await Promise.all(runs.map(async (run) => (await system.steps(run.id)).send));
    expect(steps.map((step) => step?.status).sort()).toEqual(['skipped', 'succeeded']);
    expect(steps.map((step) => step?.output)).toEqual([{ message_id: 101 }, { message_id: 101 }]);
  });

  it('is free again when the send failed', async () => {
    await aSystem();
    let count = 0;
    answers['c.send'] = () => {
      count += 1;
      if (count === 1) throw new ToolError('auth', 'no');
      return { sent: true };
    };
    const task = await system.addTask({
      name: 'again',
      pipeline: [{ id: 'send', uses: 'c.send', idempotency_key: 'k' }],
    });
    system.startWorker();
    await system.until((await system.runNow(task)).id, 'failed');
    const run = await system.until((await system.runNow(task)).id, 'succeeded');
    expect((await system.steps(run.id)).send?.status).toBe('succeeded');
  });
});

describe('a worker that dies', () => {
  it('leaves its run to another, which resumes at the first unfinished step', async () => {
    await aSystem();
    let release: (value: unknown) => void = () => {};
    const reached = new Promise<void>((resolve) => {
      answers['b.read'] = () => {
        resolve();
        return new Promise((settle) => {
          release = settle;
        });
      };
    });
    const task = await system.addTask({
      name: 'crash',
      pipeline: [
        { id: 'one', uses: 'a.read' },
        { id: 'two', uses: 'b.read' },
        { id: 'three', uses: 'c.send' },
      ],
    });
    // Its lease is never renewed: to the store it is as dead as a killed process.
    const first = system.startWorker({ leaseMs: 1000 });
    const { id } = await system.runNow(task);
    await reached;
    answers['b.read'] = () => ({ second: true });
    // What is dead leases nothing.
    first.setConcurrency(0);
    system.clock.advance(2000);
    await system.scheduler.runOnce();
    system.startWorker();
    const run = await system.until(id, 'succeeded');
    expect(run.deaths).toBe(1);
    release({ late: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls.map((call) => call.tool)).toEqual(['a.read', 'b.read', 'b.read', 'c.send']);
    expect((await system.steps(id)).two?.output).toEqual({ second: true });
  });

  it('has its run finished once by the next, also when that one is asked to stop meanwhile', async () => {
    await aSystem();
    let asked = 0;
    let release: (value: unknown) => void = () => {};
    answers['a.read'] = () => {
      asked += 1;
      return new Promise((settle) => {
        release = settle;
      });
    };
    const hasAsked = (count: number) => vi.waitUntil(() => asked >= count, { timeout: 20_000, interval: 5 });
    const task = await system.addTask({ name: 'suspect', pipeline: [{ id: 'one', uses: 'a.read' }] });
    const first = system.startWorker({ leaseMs: 1000 });
    const { id } = await system.runNow(task);
    await hasAsked(1);
    // What is dead leases nothing.
    first.setConcurrency(0);
    system.clock.advance(2000);
    await system.scheduler.runOnce();
    void first.stop(0);
    const second = system.startWorker();
    await hasAsked(2);
    const stopped = second.stop(20_000);
    release({ done: true });
    expect(await stopped).toEqual({ finished: 1, handedBack: 0 });
    expect(await system.store.getRun(id)).toMatchObject({ status: 'succeeded', deaths: 1, attempt: 2 });
    expect(asked).toBe(2);
  });

  it('has it done by another worker when its own is held up by a call that hangs', async () => {
    await aSystem();
    let release: (value: unknown) => void = () => {};
    const hangs = new Promise<void>((reached) => {
      answers['a.read'] = () => {
        reached();
        return new Promise((settle) => {
          release = settle;
        });
      };
    });
    answers['b.read'] = () => ({ done: true });
    const suspect = await system.addTask({ name: 'suspect', pipeline: [{ id: 'one', uses: 'b.read' }] });
    const { id } = await system.runNow(suspect);
    const dead = { workerId: 'wrk_dead', now: system.clock.now(), limit: 1, leaseMs: 1000, tags: [] };
    expect(await system.store.lease(dead)).toHaveLength(1);
    const hanging = await system.addTask({ name: 'hanging', pipeline: [{ id: 'one', uses: 'a.read' }] });
    const busy = system.startWorker();
    const held = await system.runNow(hanging);
    await hangs;
    await system.store.reclaim({ now: system.clock.now(), workerId: 'wrk_dead', limit: 10, maxDeaths: 3 });
    busy.wake();
    await vi.waitUntil(() => busy.held().includes(id), { timeout: 20_000, interval: 5 });
    system.startWorker();
    expect(await system.until(id, 'succeeded')).toMatchObject({ deaths: 1, attempt: 2 });
    expect(busy.held()).toEqual([held.id]);
    release({});
    await system.until(held.id, 'succeeded');
  });

  it('takes up its own run again after a pause longer than its lease, and drops what it had begun', async () => {
    await aSystem();
    let late: (value: unknown) => void = () => {};
    const reached = new Promise<void>((resolve) => {
      answers['b.read'] = () => {
        resolve();
        return new Promise((settle) => {
          late = settle;
        });
      };
    });
    const task = await system.addTask({
      name: 'paused',
      pipeline: [
        { id: 'one', uses: 'b.read' },
        { id: 'two', uses: 'c.send' },
      ],
    });
    system.startWorker({ leaseMs: 1000 });
    const { id } = await system.runNow(task);
    await reached;
    answers['b.read'] = () => ({ second: true });
    system.clock.advance(2000);
    await system.scheduler.runOnce();
    // The only worker there is takes it again, while its first call still hangs.
    expect((await system.until(id, 'succeeded')).deaths).toBe(1);
    late({ late: true });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect((await system.steps(id)).one?.output).toEqual({ second: true });
    expect(calls.filter((call) => call.tool === 'c.send')).toHaveLength(1);
  });

  it('leaves a send of unknown outcome unsent', async () => {
    await aSystem();
    const reached = new Promise<void>((resolve) => {
      answers['c.send'] = () => {
        resolve();
        return new Promise(() => {});
      };
    });
    const task = await system.addTask({
      name: 'lost',
      timeout: '1h',
      pipeline: [{ id: 'send', uses: 'c.send' }],
    });
    const first = system.startWorker({ leaseMs: 1000 });
    const { id } = await system.runNow(task);
    await reached;
    // What is dead leases nothing.
    first.setConcurrency(0);
    system.clock.advance(2000);
    await system.scheduler.runOnce();
    system.startWorker();
    const run = await system.until(id, 'partial');
    expect(run.reason).toBe('unknown_outcome');
    expect(calls).toHaveLength(1);
    first.cancel([id]);
    answers = {};
  });
});
