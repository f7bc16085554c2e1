import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { Task, TaskInput } from '../../../src/domain/task.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

let system: TestSystem;
let page: unknown;
let calls: string[];
let failing: Set<string>;

beforeEach(async () => {
  page = 'v1';
  calls = [];
  failing = new Set();
  system = await startTestSystem({
    callTool: async ({ address }) => {
      if (failing.has(address)) throw new ToolError('invalid_output', 'no', { outcomeKnown: true });
      if (address !== 'c.fetch') calls.push(address);
      return { output: address === 'c.fetch' ? { page } : { text: 'new' }, durationMs: 1 };
    },
  });
  for (const address of ['c.fetch', 'c.model', 'c.send'])
    await system.addTool({ address, kind: 'http', side_effect: 'read', http: { url: 'http://e.com/' } });
  system.startWorker();
});
afterEach(() => system.close());

type Changed = NonNullable<NonNullable<TaskInput['pipeline']>[number]['changed']>;
const siteWatch = (changed: Changed, more: object = {}): Promise<Task> =>
  system.addTask({
    name: newId('tsk', 0),
    pipeline: [
      { id: 'get', uses: 'c.fetch' },
      { id: 'sum', uses: 'c.model', changed, on_error: 'continue' },
      { id: 'send', uses: 'c.send', if: 'steps.sum.text', ...more },
    ],
  });
/** Runs it; how it ended, and which of model and send were called. */
async function run(task: Task, changes = {}): Promise<string> {
  calls = [];
  const { id } = await system.runNow(task, changes);
  const { status, reason } = await system.until(id, 'succeeded', 'partial', 'failed', 'dead', 'skipped');
  return [status, reason, ...calls].filter((one) => one !== null).join(' ');
}
const BOTH = 'succeeded c.model c.send';

describe('changed', () => {
  it('wakes the model the first time and when the value is another one, and says why not', async () => {
    const task = await siteWatch('${steps.get.page}');
    expect(await run(task)).toBe(BOTH);
    expect(await run(task)).toBe('succeeded');
    const steps = await Promise.all((await system.runs(task)).map(({ id }) => system.steps(id)));
    expect(steps.map(({ sum }) => [sum?.status, sum?.reason, sum?.output]).sort()).toEqual([
      ['skipped', 'unchanged', null],
      ['succeeded', null, { text: 'new' }],
    ]);
    page = 'v2';
    expect(await run(task)).toBe(BOTH);
    page = { b: 1, a: [1] };
    expect(await run(task)).toBe(BOTH);
    page = { a: [1], b: 1 };
    expect(await run(task)).toBe('succeeded');
  });

  it('is of one step of one task', async () => {
    expect(await run(await siteWatch('${steps.get.page}'))).toBe(BOTH);
    expect(await run(await siteWatch('${steps.get.page}'))).toBe(BOTH);
  });

  it('with skip: run ends the run there', async () => {
    const task = await siteWatch({ value: 'steps.get.page', skip: 'run' });
    expect(await run(task)).toBe(BOTH);
    expect(await run(task)).toBe('skipped unchanged');
  });

  it('counts only when the step and what came after it worked: what could not be sent is found again', async () => {
    const task = await siteWatch('${steps.get.page}');
    failing.add('c.model');
    expect(await run(task)).toBe('partial invalid_output');
    failing = new Set(['c.send']);
    expect(await run(task)).toBe('failed invalid_output c.model');
    failing.clear();
    expect(await run(task)).toBe(BOTH);
    expect(await run(task)).toBe('succeeded');
  });

  it('counts by its fallback when what came after it worked, and not otherwise', async () => {
    const changed = { value: 'steps.get.page', skip: 'run' } as const;
    const task = await system.addTask({
      name: 'stands-in',
      pipeline: [
        { id: 'get', uses: 'c.fetch' },
        { id: 'sum', uses: 'c.model', changed, on_error: { fallback: { text: 'changed' } } },
        { id: 'send', uses: 'c.send' },
      ],
    });
    failing = new Set(['c.model', 'c.send']);
    expect(await run(task)).toBe('failed invalid_output');
    failing = new Set(['c.model']);
    expect(await run(task)).toBe('partial invalid_output c.send');
    expect(await run(task)).toBe('skipped unchanged');
    page = 'v2';
    expect(await run(task)).toBe('partial invalid_output c.send');
  });

  it('counts although a step before it failed, when the pipeline goes on', async () => {
    const task = await system.addTask({
      name: 'later',
      pipeline: [
        { id: 'other', uses: 'c.send', on_error: 'continue' },
        { id: 'get', uses: 'c.fetch' },
        { id: 'sum', uses: 'c.model', changed: 'steps.get.page' },
      ],
    });
    failing.add('c.send');
    expect(await run(task)).toBe('partial invalid_output c.model');
    expect(await run(task)).toBe('partial invalid_output');
  });

  it('that can not be told fails the run, or with fail_open runs the step', async () => {
    expect(await run(await siteWatch('${steps.get.none}'))).toBe('failed template');
    const open = await siteWatch({ value: '${steps.get.none}', fail_open: true });
    expect([await run(open), await run(open)]).toEqual([BOTH, BOTH]);
  });

  it('lets a replay through', async () => {
    const task = await siteWatch('${steps.get.page}');
    expect(await run(task)).toBe(BOTH);
    expect(await run(task, { trigger: 'replay' })).toBe(BOTH);
  });

  it('stands over another attempt of the same run', async () => {
    const task = await siteWatch('${steps.get.page}', { retry: { max: 1, base: '10s', backoff: 'fixed' } });
    expect(await run(task)).toBe(BOTH);
    page = 'v2';
    const { id } = await system.runNow(task, { runAt: system.clock.now() + 1000 });
    system.clock.advance(1000);
    system.bus.publish('work', { count: 1 });
    expect((await system.until(id, 'succeeded')).status).toBe('succeeded');
    expect(await run(task)).toBe('succeeded');
  });
});
