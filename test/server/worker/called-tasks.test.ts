import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TaskInput } from '../../../src/domain/task.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { agentOf, taskOf } from '../../contract/fixtures.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

let system: TestSystem;
let calls: unknown[];
let answer: (input: unknown) => unknown;
/** Ends the calls that hang. */
let release: () => void;

beforeEach(async () => {
  calls = [];
  answer = (input) => input;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  system = await startTestSystem({
    builtin: builtinTools,
    callTool: async (_tool, input, { signal }) => {
      calls.push(input);
      if ((input as { hang?: boolean }).hang === true) {
        const aborted = new Promise<never>((_, reject) =>
          signal.addEventListener('abort', () => reject(new ToolError('canceled', 'aborted'))),
        );
        await Promise.race([released, aborted]);
      }
      return { output: answer(input), durationMs: 1 };
    },
  });
});
afterEach(async () => {
  release();
  await system.close();
});

const callee = (more: Partial<TaskInput> = {}) =>
  system.addTask({
    name: 'callee',
    params: { who: 'nobody' },
    pipeline: [{ id: 'say', uses: 'debug.echo', with: { who: '${params.who}', day: '${run.local_date}' } }],
    ...more,
  });
const caller = (input: Record<string, unknown>, step: object = {}, rest: object[] = []) =>
  system.addTask({
    name: 'caller',
    pipeline: [{ id: 'sub', uses: 'task.run', with: input, ...step }, ...rest] as TaskInput['pipeline'],
  });

describe('a step that calls a task', () => {
  it('waits for its end without a worker slot and has its result as output', async () => {
    const called = await callee();
    const task = await caller({ task: 'callee', params: { who: 'ana' } }, {}, [
      { id: 'use', uses: 'debug.echo', with: { got: '${steps.sub.output.who}' } },
    ]);
    system.startWorker({ concurrency: 1 });
    const scheduledFor = Date.parse('2026-11-20T09:00:00Z');
    const run = await system.until((await system.runNow(task, { scheduledFor })).id, 'succeeded');
    expect(run.output).toEqual({ got: 'ana' });
    const [inner] = await system.runs(called);
    expect(inner).toMatchObject({
      status: 'succeeded',
      trigger: 'manual',
      parentRunId: run.id,
      scheduledFor,
      output: { who: 'ana', day: '2026-11-20' },
    });
    expect((await system.steps(run.id))['sub']?.output).toMatchObject({
      run_id: inner?.id,
      status: 'succeeded',
    });
  });

  it('only starts it with wait: false', async () => {
    const called = await callee();
    const task = await caller({ task: 'callee', wait: false });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'succeeded');
    const [inner] = await system.runs(called);
    expect(run.output).toEqual({ run_id: inner?.id, status: 'queued' });
    await system.until(inner?.id as string, 'succeeded');
  });

  it('fails when that fails, and goes on after it where on_error says so', async () => {
    answer = () => {
      throw new ToolError('refused', 'no thanks');
    };
    await callee();
    const task = await caller({ task: 'callee' });
    system.startWorker();
    const failed = await system.until((await system.runNow(task)).id, 'failed');
    expect(failed).toMatchObject({ reason: 'task_failed', error: { step: 'sub' } });
    expect(failed.error?.message).toMatch(/The task callee ended as failed \(refused: .*no thanks/);
    const tolerant = await system.addTask({
      name: 'tolerant',
      pipeline: [{ id: 'sub', uses: 'task.run', with: { task: 'callee' }, on_error: { fallback: { a: 1 } } }],
    });
    expect(await system.until((await system.runNow(tolerant)).id, 'partial')).toMatchObject({
      reason: 'task_failed',
      output: { a: 1 },
    });
  });

  it('takes its cancel down to what it waits for', async () => {
    const called = await callee({ pipeline: [{ id: 'say', uses: 'debug.echo', with: { hang: true } }] });
    const task = await caller({ task: 'callee' });
    const worker = system.startWorker();
    const { id } = await system.runNow(task);
    await expect.poll(() => calls.length).toBe(1);
    await system.until(id, 'waiting');
    await system.store.cancelRun(id, 'by hand', system.clock.now());
    const [inner] = await system.runs(called);
    const { cancelRequested } = await system.store.renewLeases({
      workerId: inner?.workerId as string,
      now: system.clock.now(),
      leaseMs: 15_000,
    });
    expect(cancelRequested).toEqual([inner?.id]);
    worker.cancel(cancelRequested);
    expect(await system.until(inner?.id as string, 'canceled')).toMatchObject({ reason: 'caller_ended' });
  });

  it('gives up when its own timeout is over, and has the other one stopped', async () => {
    const called = await callee({ pipeline: [{ id: 'rest', wait: { for: '1h' } }] });
    const task = await caller({ task: 'callee' }, { timeout: '5m', on_error: 'continue' });
    system.startWorker();
    const { id } = await system.runNow(task);
    await system.until(id, 'waiting');
    const [inner] = await system.runs(called);
    await system.until(inner?.id as string, 'waiting');
    await system.clock.advance(5 * 60_000);
    expect(await system.until(id, 'partial')).toMatchObject({ reason: 'timeout' });
    expect(await system.until(inner?.id as string, 'canceled')).toMatchObject({ reason: 'caller_timeout' });
  });

  it('calls for each item no more at once than it may, also while they wait', async () => {
    const called = await callee({
      params: { n: 0 },
      pipeline: [
        { id: 'rest', wait: { for: '10m' } },
        { id: 'say', uses: 'debug.echo', with: { n: '${params.n}' } },
      ],
    });
    const task = await system.addTask({
      name: 'each',
      params: { list: [1, 2, 3] },
      pipeline: [
        {
          id: 'sub',
          uses: 'task.run',
          foreach: { items: '${params.list}', max_concurrency: 2 },
          with: { task: 'callee', params: { n: '${item}' } },
        },
      ],
    });
    system.startWorker();
    const { id } = await system.runNow(task);
    await system.until(id, 'waiting');
    expect(await system.runs(called)).toHaveLength(2);
    for (const run of await system.runs(called)) await system.until(run.id, 'waiting');
    await system.clock.advance(10 * 60_000);
    await expect.poll(async () => (await system.runs(called)).length).toBe(3);
    const last = (await system.runs(called)).find(({ status }) => status !== 'succeeded');
    if (last !== undefined) await system.until(last.id, 'waiting');
    await system.clock.advance(10 * 60_000);
    const run = await system.until(id, 'succeeded');
    expect((run.output as { output: unknown }[]).map(({ output }) => output)).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ]);
  });

  it('writes the run it announced once, whatever died in between', async () => {
    const called = await callee();
    const task = await caller({ task: 'callee' });
    const { id } = await system.runNow(task);
    const now = system.clock.now();
    const [leased] = await system.store.lease({ workerId: 'dead', now, limit: 1, leaseMs: 1, tags: [] });
    await system.store.recordSteps(
      [
        {
          runId: id,
          leaseToken: leased?.leaseToken as number,
          steps: [
            {
              stepId: 'sub',
              position: 0,
              tool: 'task.run',
              status: 'running',
              reason: null,
              attempts: 1,
              startedAt: now,
              finishedAt: null,
              input: { task: 'callee', params: { who: 'ana' } },
              output: { run_id: 'run_announced' },
              error: null,
              idempotencyKey: null,
              usage: null,
            },
          ],
        },
      ],
      now,
    );
    await system.store.reclaim({ now, workerId: 'dead', limit: 10, maxDeaths: 3 });
    system.startWorker();
    await system.until(id, 'succeeded');
    expect((await system.runs(called)).map((run) => [run.id, run.output])).toMatchObject([
      ['run_announced', { who: 'ana' }],
    ]);
  });

  it('stops tasks that call themselves', async () => {
    const task = await caller({ task: 'caller' });
    system.startWorker();
    const run = await system.until((await system.runNow(task)).id, 'failed');
    expect(run.reason).toBe('task_failed');
    const runs = await system.runs(task);
    expect(runs).toHaveLength(9);
    expect(runs.map(({ reason }) => reason)).toContain('recursion');
  });

  it("does not call another agent's task, nor one that is not there", async () => {
    const stranger = agentOf('stranger');
    await system.store.createAgent(stranger, null);
    const theirs = taskOf(stranger, { name: 'theirs' });
    await system.store.createTask(theirs);
    system.startWorker();
    for (const name of ['theirs', theirs.id, 'nobodys']) {
      const task = await system.addTask(
        { name: `calls-${name}`, pipeline: [{ id: 'sub', uses: 'task.run', with: { task: name } }] },
        { scopes: ['tool:task.run'] },
      );
      expect(await system.until((await system.runNow(task)).id, 'failed')).toMatchObject({
        reason: 'config_error',
      });
    }
    expect(await system.runs(theirs)).toEqual([]);
  });
});
