import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/domain/ids.js';
import type { TaskInput } from '../../../src/domain/task.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const HOUR = 3_600_000;
let system: TestSystem;
let sent: unknown[];

beforeEach(async () => {
  sent = [];
  system = await startTestSystem({
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
  system.startWorker();
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
    ['skip', 'succeeded', null, 1],
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
