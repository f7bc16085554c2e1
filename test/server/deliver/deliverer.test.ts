import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '../../../src/domain/delivery.js';
import { newId } from '../../../src/domain/ids.js';
import { Redactor } from '../../../src/domain/redact.js';
import type { TaskInput } from '../../../src/domain/task.js';
import { writeAgentQuiet } from '../../../src/server/deliver/agent-quiet.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { createToolCallers, type ToolCallers } from '../../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const SECRET = 'hook-secret-9b1f04';
let system: TestSystem;
let callers: ToolCallers;
let url: string;
let answers: (number | 'drop' | { status: number; retryAfter: string })[] = [];
const received: { headers: Record<string, unknown>; body: { text?: string } & Record<string, unknown> }[] =
  [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    received.push({ headers: request.headers, body: JSON.parse(body) });
    const answer = answers.shift() ?? 200;
    if (answer === 'drop') return request.socket.destroy();
    response.setHeader('content-type', 'application/json');
    if (typeof answer === 'number') return response.writeHead(answer).end('{"ok":true}');
    return response.writeHead(answer.status, { 'retry-after': answer.retryAfter }).end('{}');
  });
});
const night = { from: '22:00', to: '09:00', timezone: 'Europe/Chisinau' };
let tasks = 0;

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  url = `http://127.0.0.1:${port}/hook`;
  const redactor = new Redactor();
  // The clock of the system is not there yet; nothing here depends on the callers' own.
  callers = createToolCallers({
    clock: { now: () => system.clock.now(), monotonic: () => performance.now() },
    secrets: { resolve: async () => SECRET },
    redactor,
  });
  system = await startTestSystem({
    start: '2026-11-24T20:00:00Z',
    builtin: builtinTools,
    secrets: { HOOK: SECRET },
    grants: [`127.0.0.1:${port}`],
    callTool: (tool, input, context) => callers.call(tool, input, context),
  });
  await system.addTool({
    address: 'a.post',
    kind: 'http',
    side_effect: 'once',
    grants: [`127.0.0.1:${port}`],
    input_schema: { type: 'object', required: ['text'], properties: { text: { type: 'string' } } },
    http: { method: 'POST', url, body: '${input}' },
  });
  system.startWorker();
  system.startWorker();
});
afterAll(async () => {
  await system.close();
  await callers.close();
  server.close();
});
afterEach(async () => {
  answers = [];
  received.length = 0;
  await writeAgentQuiet(system.store, system.agent.id, {});
});

async function say(step: object, task: Partial<TaskInput> = {}) {
  const made = await system.addTask({
    name: `say-${++tasks}`,
    ...task,
    pipeline: [{ id: 'ping', uses: 'a.post', kind: 'notify', with: { text: 'hello' }, ...step }],
  } as TaskInput);
  const { id } = await system.runNow(made);
  const run = await system.until(id, 'succeeded', 'failed', 'skipped');
  return { task: made, run, messages: await system.messages(id) };
}

const texts = () => received.map(({ body }) => body.text);

/** Lets time pass, and waits until the messages are settled. */
async function goTo(instant: string, messages: Delivery[]): Promise<Delivery[]> {
  system.clock.set(Date.parse(instant));
  system.bus.publish('delivery', { count: 1 });
  return Promise.all(
    messages.map(async ({ id }) => {
      for (let left = 1000; left > 0; left--) {
        const found = await system.store.getDelivery(id);
        if (found !== null && !['pending', 'sending', 'deferred'].includes(found.status)) return found;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      throw new Error(`${id} stays: ${JSON.stringify(await system.store.getDelivery(id))}`);
    }),
  );
}

describe('a message of a step', () => {
  it('goes out apart from the run, under one key, and its answer is kept', async () => {
    const { run, messages } = await say({});
    expect(run.status).toBe('succeeded');
    expect(messages).toMatchObject([
      { status: 'delivered', attempts: 1, channel: 'a.post', stepId: 'ping', answer: { ok: true } },
    ]);
    expect(received).toMatchObject([
      { body: { text: 'hello' }, headers: { 'idempotency-key': `${run.id}/ping/a.post` } },
    ]);
    const steps = await system.steps(run.id);
    expect(steps.ping).toMatchObject({ status: 'succeeded', output: { delivery_id: messages[0]?.id } });
  });

  it('is tried again while the other side has no time, under the same key', async () => {
    answers = [503, { status: 429, retryAfter: '120' }];
    const before = system.clock.now();
    const { messages } = await say({});
    expect(messages).toMatchObject([{ status: 'delivered', attempts: 3 }]);
    expect(system.clock.now() - before).toBeGreaterThanOrEqual(120_000);
    expect(new Set(received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('that is refused fails, and does not make the run fail', async () => {
    answers = [400];
    const { run, messages } = await say({});
    expect(run.status).toBe('succeeded');
    expect(messages).toMatchObject([{ status: 'failed', attempts: 1, error: { kind: 'tool_error' } }]);
  });

  it('whose answer is lost stays unknown, and a replay does not send it again', async () => {
    answers = ['drop'];
    const { run, task, messages } = await say({});
    expect(messages).toMatchObject([{ status: 'unknown', attempts: 1 }]);
    const again = await system.runNow(task, { trigger: 'replay', parentRunId: run.id });
    await system.until(again.id, 'succeeded');
    expect((await system.steps(again.id)).ping).toMatchObject({
      status: 'skipped',
      reason: 'dedupe',
      output: { delivery_id: messages[0]?.id, status: 'unknown' },
    });
    expect(received).toHaveLength(1);
    await system.store.resolveDelivery({
      id: messages[0]?.id ?? '',
      status: 'pending',
      reason: 'resent',
      now: system.clock.now(),
    });
    await goTo(new Date(system.clock.now()).toISOString(), messages);
    expect(received).toHaveLength(2);
    expect(received[0]?.headers['idempotency-key']).toBe(received[1]?.headers['idempotency-key']);
  });

  it('that failed is sent by a replay', async () => {
    answers = [400];
    const { run, task, messages } = await say({});
    const again = await system.runNow(task, { trigger: 'replay', parentRunId: run.id });
    await system.until(again.id, 'succeeded');
    expect(await goTo(new Date(system.clock.now()).toISOString(), messages)).toMatchObject([
      { status: 'delivered', attempts: 2 },
    ]);
    expect(received).toHaveLength(2);
  });

  it('does not hold its secrets while it waits, and is sent with them', async () => {
    const { run, messages } = await say({
      uses: 'notify.webhook',
      with: { url, payload: { text: 'secrets.HOOK ${params.x?}' }, secret: '${secrets.HOOK}' },
    });
    expect(messages).toMatchObject([{ status: 'delivered' }]);
    const signature = String(received[0]?.headers['webhook-signature']);
    expect(signature).toMatch(/^v1,/);
    const stored = JSON.stringify([messages, await system.steps(run.id)]);
    expect(stored).not.toContain(SECRET);
    expect(messages[0]?.message.secrets).toMatchObject({ names: ['HOOK'] });
  });

  it('whose input the tool does not take fails its step at once', async () => {
    const { run, messages } = await say({ with: { text: 7 } });
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_input' });
    expect(messages).toEqual([]);
  });

  it('is not sent when its agent may not any more', async () => {
    const { messages } = await say({}, { quiet_hours: night });
    await system.store.updateAgent({ ...system.agent, scopes: [] });
    try {
      expect(await goTo('2026-11-25T07:00:00Z', messages)).toMatchObject([
        { status: 'failed', reason: 'forbidden', attempts: 0 },
      ]);
    } finally {
      await system.store.updateAgent(system.agent);
    }
    expect(received).toEqual([]);
  });
});

describe('in quiet hours', () => {
  it('a message waits until the morning of the person; one that is urgent does not', async () => {
    system.clock.set(Date.parse('2026-11-25T20:30:00Z'));
    const { messages } = await say({}, { quiet_hours: night });
    expect(messages).toMatchObject([
      { status: 'deferred', reason: 'quiet_hours', dueAt: Date.parse('2026-11-26T07:00:00Z') },
    ]);
    const urgent = await say({ urgent: "length('x') == `1`" }, { quiet_hours: night });
    expect(urgent.messages).toMatchObject([{ status: 'delivered', urgent: true }]);
    const ignoring = await say({ quiet_hours: 'ignore' }, { quiet_hours: night });
    expect(ignoring.messages).toMatchObject([{ status: 'delivered' }]);
    const skipping = await say({ quiet_hours: 'skip' }, { quiet_hours: night });
    expect(skipping.messages).toMatchObject([{ status: 'suppressed', reason: 'quiet_hours' }]);
    expect(received).toHaveLength(2);
    expect(await goTo('2026-11-26T07:00:00Z', messages)).toMatchObject([
      { status: 'delivered', attempts: 1 },
    ]);
    expect(received).toHaveLength(3);
  });

  it('those of the agent count, unless the task has its own or none', async () => {
    system.clock.set(Date.parse('2026-11-26T20:30:00Z'));
    await writeAgentQuiet(system.store, system.agent.id, { quiet_hours: [{ ...night, digest: false }] });
    const { messages } = await say({});
    expect(messages).toMatchObject([{ status: 'deferred' }]);
    expect((await say({}, { quiet_hours: 'none' })).messages).toMatchObject([{ status: 'delivered' }]);
    await goTo('2026-11-27T07:00:00Z', messages);
  });

  it('also what is tried again waits', async () => {
    system.clock.set(Date.parse('2026-11-27T19:59:59Z'));
    answers = [{ status: 429, retryAfter: '60' }];
    const { messages } = await say({}, { quiet_hours: night });
    expect(messages).toMatchObject([{ status: 'deferred', attempts: 1 }]);
    expect(await goTo('2026-11-28T07:00:00Z', messages)).toMatchObject([
      { status: 'delivered', attempts: 2 },
    ]);
  });

  it('that are lifted let go of what waits, but not of what another quiet time holds', async () => {
    system.clock.set(Date.parse('2026-11-28T20:10:00Z'));
    const times = { quiet_hours: [{ ...night, digest: true }] };
    await writeAgentQuiet(system.store, system.agent.id, times);
    const ofAgent = [
      ...(await say({ with: { text: 'a' } })).messages,
      ...(await say({ with: { text: 'b' } })).messages,
    ];
    const own = await say({ with: { text: 'own' } }, { quiet_hours: { ...night, digest: true } });
    await writeAgentQuiet(system.store, system.agent.id, {});
    expect(await system.store.bringForward({ agentId: system.agent.id, now: system.clock.now() })).toBe(3);
    const sent = await goTo('2026-11-28T20:10:00Z', ofAgent);
    expect(sent).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]);
    expect(texts()).toEqual(['2 messages\n\na\n\nb']);
    const held = await system.store.getDelivery(own.messages[0]?.id ?? '');
    expect(held).toMatchObject({ status: 'deferred', dueAt: Date.parse('2026-11-29T07:00:00Z') });
    await system.store.resolveDelivery({
      id: held?.id ?? '',
      status: 'suppressed',
      reason: 'test',
      now: system.clock.now(),
    });
  });

  it('what waits is one message in the morning when that is wanted', async () => {
    system.clock.set(Date.parse('2026-11-28T20:30:00Z'));
    const quiet = { quiet_hours: { ...night, digest: true } };
    const all: Delivery[] = [];
    for (const text of ['first', 'second', 'third'])
      all.push(...(await say({ with: { text } }, quiet)).messages);
    const [lead, ...others] = await goTo('2026-11-29T07:00:00Z', all);
    expect(texts()).toEqual(['3 messages\n\nfirst\n\nsecond\n\nthird']);
    expect(lead).toMatchObject({ status: 'delivered', mergedInto: null });
    expect(others.map(({ mergedInto, status }) => [mergedInto, status])).toEqual([
      [lead?.id, 'delivered'],
      [lead?.id, 'delivered'],
    ]);
  });
});

describe('on a vacation', () => {
  const vacation = { from: '2026-12-24', to: '2026-12-26', timezone: 'UTC' };

  it('messages wait for its end, and are one then', async () => {
    system.clock.set(Date.parse('2026-12-24T12:00:00Z'));
    const first = await say({ with: { text: 'one' } }, { vacation });
    const second = await say({ with: { text: 'two' } }, { vacation });
    expect(first.messages).toMatchObject([{ status: 'deferred', reason: 'vacation' }]);
    await goTo('2026-12-27T00:00:00Z', [...first.messages, ...second.messages]);
    expect(texts()).toEqual(['2 messages\n\none\n\ntwo']);
  });

  it('that is to come or over makes no digest of what waits tonight; one that begins in time does', async () => {
    const later = { from: '2030-01-01', to: '2030-01-02', timezone: 'UTC' };
    const night = { from: '22:00', to: '09:00', timezone: 'UTC', digest: false };
    system.clock.set(Date.parse('2026-12-27T23:00:00Z'));
    const times = { quiet_hours: [night], vacation: [vacation, later] };
    const all: Delivery[] = [];
    for (const text of ['one', 'two']) all.push(...(await say({ with: { text } }, times)).messages);
    expect(all).toMatchObject([{ digestKey: null }, { digestKey: null }]);
    await goTo('2026-12-28T09:00:00Z', all);
    expect(texts().toSorted()).toEqual(['one', 'two']);
    received.length = 0;
    // Written on a night of its own, held on by a vacation that somebody took meanwhile.
    system.clock.set(Date.parse('2026-12-28T23:00:00Z'));
    await writeAgentQuiet(system.store, system.agent.id, { quiet_hours: [night] });
    const held: Delivery[] = [];
    for (const text of ['three', 'four']) held.push(...(await say({ with: { text } })).messages);
    const away = { from: '2026-12-29', to: '2026-12-30', timezone: 'UTC' };
    await writeAgentQuiet(system.store, system.agent.id, { quiet_hours: [night], vacation: [away] });
    system.clock.set(Date.parse('2026-12-29T09:00:00Z'));
    system.bus.publish('delivery', { count: 1 });
    const why = () => Promise.all(held.map(async ({ id }) => (await system.store.getDelivery(id))?.reason));
    await expect.poll(why, { timeout: 20_000 }).toEqual(['vacation', 'vacation']);
    await goTo('2026-12-31T09:00:00Z', held);
    expect(texts()).toEqual(['2 messages\n\nthree\n\nfour']);
    await writeAgentQuiet(system.store, system.agent.id, {});
  });

  it('a task that is skipped then leaves a row that says so; a person can run it all the same', async () => {
    const skipped = await system.addTask({
      name: 'away',
      on_vacation: 'skip',
      vacation: { from: '2027-01-01', to: '2027-01-03', timezone: 'UTC' },
      pipeline: [{ id: 'ping', uses: 'a.post', kind: 'notify', with: { text: 'away' } }],
    });
    const at = Date.parse('2027-01-02T10:00:00Z');
    system.clock.set(at);
    const due = await system.runNow(skipped, { trigger: 'schedule', scheduledFor: at });
    expect(await system.until(due.id, 'skipped')).toMatchObject({ reason: 'vacation' });
    expect(await system.messages(due.id)).toEqual([]);
    const asked = await system.runNow(skipped);
    await system.until(asked.id, 'succeeded');
  });
});

it('a notice with no run is sent as well, once for its key', async () => {
  const of = (id: string) => ({
    id,
    agentId: system.agent.id,
    key: 'task_failing/one',
    origin: 'notice' as const,
    taskId: null,
    runId: null,
    stepId: null,
    channel: 'a.post',
    message: { input: { text: 'it fails' } },
    quietHours: 'defer' as const,
    urgent: false,
    digestKey: null,
    status: 'pending' as const,
    reason: null,
    dueAt: system.clock.now(),
    createdAt: system.clock.now(),
  });
  const ids = [newId('dlv', system.clock.now()), newId('dlv', system.clock.now())] as const;
  await system.store.enqueueDeliveries(ids.map(of));
  const sent = await goTo(new Date(system.clock.now()).toISOString(), [of(ids[0]) as unknown as Delivery]);
  expect(sent).toMatchObject([{ status: 'delivered' }]);
  expect(texts()).toEqual(['it fails']);
});
