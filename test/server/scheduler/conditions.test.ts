import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { Task, TaskInput } from '../../../src/domain/task.js';
import { ToolError } from '../../../src/domain/tool-error.js';
import { Scheduler } from '../../../src/server/scheduler/scheduler.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const MINUTE = 60_000;
let system: TestSystem;
/** What the next look sees. */
let value: number;
let alerts: unknown[];
let failures: number;

beforeEach(async () => {
  alerts = [];
  failures = 0;
  system = await startTestSystem({
    start: '2026-11-24T06:00:00Z',
    callTool: async (tool, input) => {
      if (tool.address === 'c.look') {
        if (Number.isNaN(value)) throw new ToolError('invalid_output', 'no', { outcomeKnown: true });
        return { output: { value }, durationMs: 1 };
      }
      if (failures-- > 0) throw new ToolError('overloaded', 'busy', { outcomeKnown: true });
      alerts.push(input);
      return { output: {}, durationMs: 1 };
    },
  });
  for (const address of ['c.look', 'c.alert'])
    await system.addTool({ address, kind: 'http', side_effect: 'read', http: { url: 'http://e.com/' } });
  system.startWorker();
});
afterEach(() => system.close());

const watch = (schedule: object = {}, more: Partial<TaskInput> = {}): Promise<Task> =>
  system.addTask({
    name: newId('tsk', 0),
    schedule: {
      kind: 'condition',
      every: '1m',
      check: { uses: 'c.look' },
      when: 'result.value > `30`',
      ...schedule,
    } as TaskInput['schedule'],
    pipeline: [{ id: 'alert', uses: 'c.alert', with: { value: '${steps._check.value}' } }],
    ...more,
  });

/** Looks once a minute at these values. @returns for each look whether it triggered (!), or why not. */
async function looks(task: Task, values: number[], scheduler = system.scheduler): Promise<string> {
  let result = '';
  for (const one of values) {
    value = one;
    await scheduler.runOnce();
    const run = (await system.runs(task)).at(-1);
    const { status, reason } = await system.until(
      run?.id as string,
      'succeeded',
      'skipped',
      'failed',
      'dead',
    );
    result += status === 'succeeded' ? '!' : reason === 'condition' ? '.' : `(${reason})`;
    system.clock.advance(MINUTE);
  }
  return result;
}

describe('a condition', () => {
  it('on its edge triggers once each time it becomes true', async () => {
    expect(await looks(await watch(), [10, 31, 40, 20, 35])).toBe('.!..!');
    expect(alerts).toEqual([{ value: 31 }, { value: 35 }]);
  });

  it('on its level triggers each time it is true, a cooldown apart', async () => {
    expect(await looks(await watch({ trigger: 'level' }), [31, 32, 10])).toBe('!!.');
    expect(await looks(await watch({ trigger: 'level', cooldown: '3m' }), [31, 32, 33, 34, 35])).toBe(
      '!..!.',
    );
  });

  it('with a cooldown lets an edge that comes too early pass once it is over, while it is still true', async () => {
    expect(await looks(await watch({ cooldown: '4m' }), [31, 10, 32, 33, 34, 35])).toBe('!...!.');
  });

  it('must have held for as long as it says, without a break', async () => {
    expect(await looks(await watch({ for: '2m' }), [31, 32, 10, 33, 34, 35, 36])).toBe('.....!.');
  });

  it('with clear_when does not tremble on the threshold', async () => {
    const values = [31, 29, 31, 28, 31, 24, 31];
    expect(await looks(await watch(), values)).toBe('!.!.!.!');
    expect(await looks(await watch({ clear_when: 'result.value < `25`' }), values)).toBe('!.....!');
  });

  it('sees what it saw before', async () => {
    const task = await watch({ when: 'previous && result.value != previous.value', trigger: 'level' });
    expect(await looks(task, [1, 1, 2, 2, 3])).toBe('..!.!');
  });

  it('remembers over a restart', async () => {
    const task = await watch();
    expect(await looks(task, [31])).toBe('!');
    const { store, bus, clock } = system;
    const other = new Scheduler({ store, bus, clock, logger: silentLogger });
    expect(await looks(task, [32, 10, 33], other)).toBe('..!');
  });

  it('is not lost when the alert needs another attempt', async () => {
    const task = await watch({}, { retry: { max: 2, base: '10s', backoff: 'fixed' } });
    value = 31;
    failures = 1;
    await system.scheduler.runOnce();
    const [run] = await system.runs(task);
    await expect.poll(async () => (await system.store.getRun(run?.id as string))?.reason).toBe('overloaded');
    system.clock.advance(11_000);
    expect(await system.until(run?.id as string, 'succeeded', 'skipped')).toMatchObject({
      status: 'succeeded',
    });
    expect(alerts).toEqual([{ value: 31 }]);
    system.clock.advance(MINUTE);
    expect(await looks(task, [32])).toBe('.');
  });

  it('slept through is looked at once', async () => {
    const task = await watch();
    expect(await looks(task, [10])).toBe('.');
    system.clock.advance(8 * 60 * MINUTE);
    expect(await looks(task, [31, 31])).toBe('!.');
    expect(await system.runs(task)).toHaveLength(3);
  });

  it('that can not be looked at fails its look, and goes on from what it knew', async () => {
    expect(await looks(await watch(), [31, Number.NaN, 32, 10, 33])).toBe('!(invalid_output)..!');
  });
});
