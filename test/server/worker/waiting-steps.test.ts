import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import type { TaskInput } from '../../../src/domain/task.js';
import type { LeasedRun } from '../../../src/server/store/store.js';
import { endOf, leaseAs, stepOf } from '../../contract/fixtures.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const HOUR = 3_600_000;
let system: TestSystem;
let worker: ReturnType<TestSystem['startWorker']>;
let sent: unknown[];

beforeEach(async () => {
  sent = [];
  system = await startTestSystem({
    builtin: builtinTools,
    callTool: async (tool, input) => {
      if (tool.address === 'c.send') sent.push(input);
      return { output: { ok: true }, durationMs: 1 };
    },
  });
  await system.addTool({
    address: 'c.send',
    kind: 'http',
    side_effect: 'once',
    http: { url: 'http://e.com/' },
  });
  worker = system.startWorker();
});
afterEach(() => system.close());

type Pipeline = TaskInput['pipeline'];
const start = async (pipeline: Pipeline, more: Partial<TaskInput> = {}) => {
  const task = await system.addTask({ name: newId('tsk', 0), pipeline, ...more });
  return { task, run: await system.runNow(task) };
};
const publish = (topic: string, payload: unknown = null) =>
  system.store.publishEvent({
    id: newId('evt', system.clock.now()),
    topic,
    payload,
    dedupeKey: null,
    agentId: system.agent.id,
    createdAt: system.clock.now(),
  });

const askThenSend = (approve: Record<string, unknown> = {}): Pipeline => [
  {
    id: 'ask',
    approve: {
      message: 'Send to ${params.to}?',
      data: { text: '${params.text}' },
      expires_in: '1h',
      ...approve,
    },
  },
  { id: 'send', uses: 'c.send', with: { text: '${steps.ask.data.text}' } },
];
const params = { to: 'Ana', text: 'hello' };

async function openApproval(runId: string, stepId = 'ask') {
  await system.until(runId, 'waiting');
  const approval = await system.store.findApproval(runId, stepId);
  if (approval === null) throw new Error('nothing was asked');
  return approval;
}
async function decide(id: string, state: 'approved' | 'denied', data?: unknown) {
  await system.store.decideApproval({
    id,
    state,
    by: 'agent:ana',
    comment: 'because',
    ...(data === undefined ? {} : { data }),
    now: system.clock.now(),
  });
  system.bus.publish('work', { count: 1 });
}

describe('an approval', () => {
  it('shows what it is about, and goes on with what was approved', async () => {
    const { run } = await start(askThenSend(), { params });
    const approval = await openApproval(run.id);
    expect(approval).toMatchObject({ message: 'Send to Ana?', data: { text: 'hello' }, state: 'pending' });
    expect((await system.store.getRun(run.id))?.reason).toBe('approval');
    expect(sent).toEqual([]);
    await decide(approval.id, 'approved');
    await system.until(run.id, 'succeeded');
    expect(sent).toEqual([{ text: 'hello' }]);
    expect((await system.steps(run.id)).ask?.output).toMatchObject({ decision: 'approved', by: 'agent:ana' });
  });

  it('goes on with what the person made of it', async () => {
    const { run } = await start(askThenSend(), { params });
    await decide((await openApproval(run.id)).id, 'approved', { text: 'hello, dear Ana' });
    await system.until(run.id, 'succeeded');
    expect(sent).toEqual([{ text: 'hello, dear Ana' }]);
  });

  it('fails the run with the reason denied on a no, or goes on where the step says so', async () => {
    const { run } = await start(askThenSend(), { params });
    await decide((await openApproval(run.id)).id, 'denied');
    expect(await system.until(run.id, 'failed')).toMatchObject({
      reason: 'denied',
      error: { message: 'agent:ana said no: because', step: 'ask' },
    });
    const [ask, send] = askThenSend() as [Pipeline[number], Pipeline[number]];
    const tolerant = await start([{ ...ask, on_error: { fallback: { data: { text: 'draft' } } } }, send], {
      params,
    });
    await decide((await openApproval(tolerant.run.id)).id, 'denied');
    expect((await system.until(tolerant.run.id, 'partial')).reason).toBe('denied');
    expect(sent).toEqual([{ text: 'draft' }]);
  });

  it.each([
    ['deny', 'failed', 'expired', 0],
    ['skip', 'skipped', 'expired', 0],
    ['approve', 'succeeded', null, 1],
  ] as const)('that nobody answers and says %s ends %s', async (on_timeout, status, reason, count) => {
    const { run } = await start(askThenSend({ on_timeout }), { params });
    const { id } = await openApproval(run.id);
    system.clock.advance(HOUR - 1);
    system.bus.publish('work', { count: 1 });
    expect((await system.store.getApproval(id))?.state).toBe('pending');
    system.clock.advance(1);
    system.bus.publish('work', { count: 1 });
    expect(await system.until(run.id, status)).toMatchObject({ reason });
    expect((await system.store.getApproval(id))?.state).toBe('expired');
    expect(sent).toHaveLength(count);
  });

  describe('that nobody answers and says skip', () => {
    const skips = { approve: { message: 'Send it?', expires_in: '1h', on_timeout: 'skip' as const } };
    const send: Pipeline[number] = { id: 'send', uses: 'c.send', with: { text: 'hello' } };
    const breaks = { uses: 'no.such_tool', on_error: 'continue' as const };

    async function unanswered(pipeline: Pipeline, status: 'skipped' | 'partial' | 'failed', asks = 'ask') {
      const { run } = await start(pipeline);
      await openApproval(run.id, asks);
      system.clock.advance(HOUR);
      system.bus.publish('work', { count: 1 });
      const ended = await system.until(run.id, status);
      expect(sent).toEqual([]);
      return { ended, steps: await system.steps(run.id) };
    }

    it('does nothing of what comes after it, and says so of every step', async () => {
      const group = { id: 'both', parallel: [{ ...send, id: 'one' }] };
      const { ended, steps } = await unanswered([{ id: 'ask', ...skips }, send, group], 'skipped');
      expect(ended).toMatchObject({ reason: 'expired', error: null, attempt: 1 });
      for (const id of ['ask', 'send', 'both', 'one'])
        expect(steps[id]).toMatchObject({ status: 'skipped', reason: 'expired', attempts: 0 });
    });

    it.each([
      ['continue', 'continue' as const],
      ['a fallback', { fallback: { data: 'draft' } }],
    ])('is not gone past with on_error: %s', async (_title, on_error) => {
      await unanswered([{ id: 'ask', ...skips, on_error }, send], 'skipped');
    });

    it('ends partial after a failure that was gone past, and what changed before it is found again', async () => {
      const changed = { id: 'say', uses: 'debug.echo', with: { text: 'new' }, changed: 'params.none?' };
      const { ended, steps } = await unanswered(
        [{ id: 'bad', ...breaks }, changed, { id: 'ask', ...skips }, send],
        'partial',
      );
      expect(ended.reason).toBe('config_error');
      expect(steps.send).toMatchObject({ status: 'skipped', reason: 'expired' });
      expect(await system.store.getStepMemory(ended.taskId, 'say')).toBeNull();
    });

    it('inside parallel lets the steps beside it end, and nothing follows, whatever of them failed', async () => {
      const beside = { id: 'say', uses: 'debug.echo', with: { text: 'beside' } };
      const asking = { id: 'ask', ...skips };
      const { ended, steps } = await unanswered(
        [{ id: 'both', parallel: [asking, beside] }, send],
        'skipped',
      );
      expect(ended.reason).toBe('expired');
      expect(steps.say).toMatchObject({ status: 'succeeded' });
      const broken = { id: 'bad', uses: 'no.such_tool' };
      const group = { id: 'both', parallel: [broken, asking] };
      expect((await unanswered([group, send], 'failed')).ended.reason).toBe('config_error');
      const tolerant = { ...group, on_error: 'continue' as const };
      expect((await unanswered([tolerant, send], 'partial')).ended.reason).toBe('config_error');
    });

    it('fails the step of a task that called this one, with why', async () => {
      const task = await system.addTask({ name: 'asker', pipeline: [{ id: 'ask', ...skips }, send] });
      const { run } = await start([{ id: 'call', uses: 'task.run', with: { task: task.name } }, send]);
      const looks = { timeout: 20_000 };
      await expect.poll(() => system.store.findOpenApproval(task.id, 'ask'), looks).not.toBeNull();
      system.clock.advance(HOUR);
      system.bus.publish('work', { count: 1 });
      const failed = await system.until(run.id, 'failed');
      expect(failed.error?.message).toContain('ended as skipped (expired)');
      expect(sent).toEqual([]);
    });
  });

  it('that an earlier version went past unanswered is no end any more: what was done since stays', async () => {
    await worker.stop(0);
    const skips = { message: 'Send it?', expires_in: '1h', on_timeout: 'skip' as const };
    const { run } = await start([
      { id: 'ask', approve: skips },
      { id: 'send', uses: 'c.send', with: { text: 'hello' } },
      { id: 'again', approve: skips },
      { id: 'more', uses: 'c.send', with: { text: '${steps.ask.decision}' } },
    ]);
    const now = system.clock.now();
    const [leased] = (await leaseAs(system.store, { now })) as [LeasedRun];
    const asked = { tool: null, attempts: 0, input: null };
    const steps = [
      stepOf({
        ...asked,
        stepId: 'ask',
        status: 'skipped',
        reason: 'expired',
        output: { decision: 'expired' },
      }),
      stepOf({ stepId: 'send', position: 1, tool: 'c.send' }),
      stepOf({ ...asked, stepId: 'again', position: 2, status: 'waiting', reason: 'approval', output: null }),
    ];
    const approval = {
      id: newId('apr', now),
      stepId: 'again',
      message: 'More?',
      data: null,
      onTimeout: 'skip' as const,
      requestedAt: now,
      expiresAt: now + HOUR,
    };
    const waits = { status: 'waiting', reason: 'approval', runAt: now + HOUR } as const;
    await system.store.complete([endOf(leased, { ...waits, steps, approvals: [approval] })], now);
    worker = system.startWorker();
    await decide(approval.id, 'approved');
    await system.until(run.id, 'succeeded');
    expect(sent).toEqual([{ text: 'expired' }]);
    expect(await system.steps(run.id)).toMatchObject({
      ask: { status: 'skipped', reason: 'expired' },
      send: { status: 'succeeded', attempts: 1 },
      again: { status: 'succeeded' },
    });
  });

  it('is asked by one run of a task at a time; the next asks when that one is answered', async () => {
    const { task, run } = await start(askThenSend(), { params });
    const first = await openApproval(run.id);
    const second = await system.runNow(task);
    expect((await system.until(second.id, 'waiting')).reason).toBe('approval_open');
    expect(await system.store.findApproval(second.id, 'ask')).toBeNull();
    await decide(first.id, 'approved');
    await system.until(run.id, 'succeeded');
    await expect.poll(() => system.store.findApproval(second.id, 'ask'), { timeout: 20_000 }).not.toBeNull();
    await decide((await openApproval(second.id)).id, 'approved');
    await system.until(second.id, 'succeeded');
    expect(sent).toHaveLength(2);
  });

  it('is asked once, whatever happens to the worker that asked', async () => {
    const { run } = await start([
      {
        id: 'both',
        parallel: [
          { id: 'ask', approve: { message: 'One?' } },
          { id: 'other', approve: { message: 'Two?' } },
        ],
      },
      { id: 'send', uses: 'c.send', with: { one: '${steps.both.ask.decision}' } },
    ]);
    const one = await openApproval(run.id, 'ask');
    const two = await openApproval(run.id, 'other');
    await decide(one.id, 'approved');
    await expect.poll(async () => (await system.steps(run.id)).ask?.status).toBe('succeeded');
    expect((await openApproval(run.id, 'other')).id).toBe(two.id);
    await decide(two.id, 'approved');
    await system.until(run.id, 'succeeded');
    expect(sent).toEqual([{ one: 'approved' }]);
  });
});

describe('a step that waits for an event', () => {
  const waiting = (wait: Record<string, unknown> = {}): Pipeline => [
    { id: 'reply', wait: { event: 'mail.${params.who}', timeout: '1h', ...wait } },
    { id: 'send', uses: 'c.send', with: { got: '${steps.reply.event.payload?}' } },
  ];
  const who = { params: { who: 'ana' } };
  const pass = () => system.scheduler.runOnce();

  it('goes on with the event that fits, and not with one that does not', async () => {
    const { run } = await start(waiting({ filter: 'payload.subject == params.who' }), who);
    await system.until(run.id, 'waiting');
    await publish('mail.bob', { subject: 'ana' });
    await publish('mail.ana', { subject: 'other' });
    await pass();
    await publish('mail.ana', { subject: 'ana', n: 3 });
    await pass();
    await system.until(run.id, 'succeeded');
    expect(sent).toEqual([{ got: { subject: 'ana', n: 3 } }]);
  });

  it('looks back as far as it says, and no further', async () => {
    await publish('mail.ana', 'too old');
    system.clock.advance(2 * HOUR);
    await publish('mail.ana', 'in time');
    system.clock.advance(60_000);
    const blind = await start(waiting(), who);
    const seeing = await start(waiting({ look_back: '30m' }), who);
    await system.until(seeing.run.id, 'succeeded');
    expect(sent).toEqual([{ got: 'in time' }]);
    expect((await system.until(blind.run.id, 'waiting')).reason).toBe('event');
  });

  it.each([
    ['fail', 'failed', 'timeout'],
    ['continue', 'succeeded', null],
  ] as const)('that never comes and says %s ends %s', async (on_timeout, status, reason) => {
    const { run } = await start(waiting({ on_timeout }), who);
    await system.until(run.id, 'waiting');
    system.clock.advance(HOUR);
    system.bus.publish('work', { count: 1 });
    expect(await system.until(run.id, status)).toMatchObject({ reason });
    if (on_timeout === 'continue') expect(sent).toEqual([{ got: null }]);
  });
});
