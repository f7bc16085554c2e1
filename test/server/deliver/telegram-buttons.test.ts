import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTelegramServer, type TelegramServer } from '../../../src/demo/telegram-server.js';
import type { TelegramUser } from '../../../src/demo/telegram-bot.js';
import type { Approval } from '../../../src/domain/approval.js';
import { type Channel, channelSchema } from '../../../src/domain/channel.js';
import { silentObserver } from '../../../src/domain/observability/observer.js';
import { Redactor } from '../../../src/domain/redact.js';
import { listChannelProblems } from '../../../src/server/deliver/questions/channel-problem.js';
import { decideApproval } from '../../../src/server/deliver/questions/decide.js';
import { listQuestions } from '../../../src/server/deliver/questions/open-questions.js';
import { QuestionDesk } from '../../../src/server/deliver/questions/question-desk.js';
import type { Store } from '../../../src/server/store/store.js';
import { type Logger, silentLogger } from '../../../src/server/telemetry/logger.js';
import { channelTools } from '../../../src/server/tools/channels/channel-tools.js';
import { createToolCallers, type ToolCallers } from '../../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

const TOKEN = '123456:TEST-buttons-token';
const ANA: TelegramUser = { id: 42, first_name: 'Ana', username: 'ana' };
const BOB: TelegramUser = { id: 43, first_name: 'Bob' };
let telegram: TelegramServer;
let system: TestSystem;
let callers: ToolCallers;
let channels: Record<string, Channel>;
const desks: QuestionDesk[] = [];
const said: { fields: object; message: string }[] = [];
const logger: Logger = {
  ...silentLogger,
  error: (fields, message) => said.push({ fields, message }),
  warn: (fields, message) => said.push({ fields, message }),
  info: (fields, message) => said.push({ fields, message }),
  child: () => logger,
};

beforeAll(async () => {
  telegram = await startTelegramServer({ port: 0, token: TOKEN });
  const of = (more: object) =>
    channelSchema.parse({
      kind: 'telegram',
      token: '${secrets.BOT}',
      chat_id: 42,
      api: telegram.url,
      ...more,
    });
  channels = {
    me: of({}),
    group: of({ chat_id: -100 }),
    board: of({ chat_id: -200, approvers: [ANA.id] }),
    plain: of({ buttons: false }),
    readers: of({ chat_id: '@news' }),
  };
  const clock = { now: () => system.clock.now(), monotonic: () => performance.now() };
  callers = createToolCallers({
    clock,
    secrets: { resolve: async () => TOKEN },
    redactor: new Redactor(),
    channels,
  });
  system = await startTestSystem({
    start: '2026-11-24T06:30:00Z',
    builtin: channelTools(channels),
    callTool: (tool, input, context) => callers.call(tool, input, context),
    expectAnswer: async (delivery) => (desks[0] ?? startDesk()).expect(delivery),
  });
  system.startWorker();
});
afterAll(async () => {
  await system.close();
  await callers.close();
  await telegram.close();
});
beforeEach(() => {
  said.length = 0;
  telegram.messages.length = 0;
  telegram.requests.length = 0;
  telegram.taps.answers.length = 0;
});
afterEach(async () => {
  telegram.faults.clear();
  telegram.taps.webhook = null;
  await Promise.all(desks.splice(0).map((desk) => desk.stop()));
  // The next test begins with nothing open.
  for (const { id } of (await system.store.listApprovals({ states: ['pending'], limit: 100 })).items)
    await system.store.decideApproval({
      id,
      state: 'canceled',
      by: 'run',
      comment: null,
      now: system.clock.now(),
    });
  for (const { key, value } of await system.store.listMeta('telegram-question:', 100))
    await system.store.swapMeta(key, value, null);
});

function startDesk(options: { store?: Store; owner?: string; lingerMs?: number } = {}): QuestionDesk {
  const desk = new QuestionDesk({
    store: options.store ?? system.store,
    bus: system.bus,
    clock: { now: () => system.clock.now(), monotonic: () => performance.now() },
    logger,
    observer: silentObserver,
    owner: options.owner ?? `wrk_${desks.length}`,
    channels,
    timezone: 'UTC',
    openBot: (channel, agent) => callers.openBot(channel, agent),
    pollMs: 20,
    lingerMs: options.lingerMs ?? 60_000,
    pace: 0.002,
  });
  desks.push(desk);
  desk.start();
  return desk;
}

let asked = 0;
/** A run that asks by a channel, with the message that arrived. */
async function ask(channel: string, step: object = {}) {
  const task = await system.addTask({
    name: `ask-${++asked}`,
    pipeline: [
      {
        id: 'ask',
        approve: {
          message: 'Pay the invoice?',
          data: { sum: 20 },
          expires_in: '1h',
          notify: channel,
          ...step,
        },
      },
    ],
  });
  const before = telegram.messages.length;
  const { id: runId } = await system.runNow(task);
  await expect.poll(() => telegram.messages.length, { timeout: 20_000 }).toBeGreaterThan(before);
  await system.messages(runId);
  const approval = (await system.store.findApproval(runId, 'ask')) as Approval;
  const message = telegram.messages.at(-1) as (typeof telegram.messages)[0];
  return { runId, approval, message };
}

const polls = () => telegram.requests.filter(({ path }) => path.endsWith('/getUpdates'));
const stateOf = async ({ id }: Approval) => (await system.store.getApproval(id)) as Approval;
function eventually(look: () => unknown) {
  return expect.poll(look, { timeout: 20_000 });
}
const buttonsOf = (id: number) =>
  telegram.messages.find(({ message_id: one }) => one === id)?.reply_markup?.inline_keyboard.flat() ?? [];
const textOf = (id: number) => telegram.messages.find(({ message_id: one }) => one === id)?.text;
const audited = async (action: string) =>
  (await system.store.listAudit({ limit: 100 })).items.filter((entry) => entry.action === action);
/** The data of a button, as it was before it was taken away. */
const dataOf = (message: (typeof telegram.messages)[0], text: string) => ({
  data: message.reply_markup?.inline_keyboard.flat().find((one) => one.text === text)
    ?.callback_data as string,
});

describe('a question by Telegram', () => {
  it('is answered by a tap: the run goes on, the message says who and when, and its buttons are gone', async () => {
    const { runId, approval, message } = await ask('me');
    expect(buttonsOf(message.message_id)).toMatchObject([{ text: 'Approve' }, { text: 'Deny' }]);
    telegram.tap(message.message_id, 'Approve', ANA);
    await system.until(runId, 'succeeded');
    expect(await stateOf(approval)).toMatchObject({ state: 'approved', decidedBy: 'telegram:42' });
    await eventually(() => buttonsOf(message.message_id)).toEqual([]);
    expect(textOf(message.message_id)).toMatch(
      /Pay the invoice\?[^]*✅ Approved by Ana \(@ana\), Tue 24 Nov 2026 06:30 \(UTC\)$/,
    );
    await eventually(() => telegram.taps.answers).toMatchObject([{ text: 'Approved.', show_alert: false }]);
    await eventually(async () => (await audited('approval.approved'))[0]).toMatchObject({
      actor: 'telegram:42',
      target: approval.id,
      details: { run_id: runId, chat_id: 42, user: 'Ana (@ana)' },
    });
    await eventually(() => listQuestions(system.store)).toEqual([]);
    expect(JSON.stringify(said)).not.toContain(TOKEN);
  });

  it('that is decided elsewhere says so below; a second tap is told what was decided', async () => {
    const { runId, approval, message } = await ask('me');
    const deny = dataOf(message, 'Deny');
    const { store, bus } = system;
    await decideApproval({ store, bus, now: system.clock.now() }, approval, {
      decision: 'approve',
      by: `agent:${system.agent.id}`,
    });
    await system.until(runId, 'succeeded');
    await eventually(() => textOf(message.message_id)).toMatch(/✅ Approved by tester, Tue 24 Nov/);
    // Until when it was open is true no more.
    expect(textOf(message.message_id)).not.toContain('Open until');
    expect(buttonsOf(message.message_id)).toEqual([]);
    telegram.tap(message.message_id, deny, ANA);
    await eventually(() => telegram.taps.answers).toMatchObject([
      { text: expect.stringMatching(/^This was approved by tester, /), show_alert: true },
    ]);
    expect(await stateOf(approval)).toMatchObject({ state: 'approved' });
  });

  it('that nobody answers is expired, not denied, in words; a late tap is told so', async () => {
    const { runId, approval, message } = await ask('me');
    const approve = dataOf(message, 'Approve');
    system.clock.set(approval.expiresAt);
    system.bus.publish('clock', { offsetMs: 0 });
    system.bus.publish('work', { count: 1 });
    await eventually(() => textOf(message.message_id)).toMatch(
      /⌛ Expired .*nothing was decided. A timeout is not a denial/,
    );
    expect(await system.until(runId, 'failed')).toMatchObject({ reason: 'expired' });
    telegram.tap(message.message_id, approve, ANA);
    await eventually(() => telegram.taps.answers).toMatchObject([
      { text: expect.stringMatching(/^Too late: this expired/) },
    ]);
    expect(await stateOf(approval)).toMatchObject({ state: 'expired' });
  });

  it('with a long text has its buttons below the last part, which stays when it is decided', async () => {
    const { message } = await ask('me', { message: 'word '.repeat(790).trim() });
    expect(telegram.messages.map(({ reply_markup: markup }) => markup !== undefined)).toEqual([false, true]);
    telegram.tap(message.message_id, 'Deny', ANA);
    await eventually(() => textOf(message.message_id)).toMatch(/^ask-\d+ asks\n\nword[^]*❌ Denied by Ana/);
  });

  it('has no buttons where the channel says so, nor where nobody counted the readers', async () => {
    const { message } = await ask('plain');
    expect(buttonsOf(message.message_id)).toEqual([]);
    expect(await listQuestions(system.store)).toEqual([]);
    expect(polls()).toEqual([]);
    expect(await callers.openBot('readers', 'tester')).toBeNull();
  });
});

describe('whoever may not answer', () => {
  it.each([
    ['another person in the chat', 'me', BOB, 'not_an_approver'],
    ['who is no approver of the group', 'board', BOB, 'not_an_approver'],
  ])('%s is refused, and that is in the audit log once', async (_who, channel, user, reason) => {
    const { approval, message } = await ask(channel);
    const before = (await audited('approval.refused')).length;
    telegram.tap(message.message_id, 'Approve', user);
    telegram.tap(message.message_id, 'Approve', user);
    await eventually(() => telegram.taps.answers.length).toBe(2);
    expect(telegram.taps.answers[0]).toMatchObject({
      text: 'You may not answer this question.',
      show_alert: true,
    });
    expect(await stateOf(approval)).toMatchObject({ state: 'pending' });
    const refused = await audited('approval.refused');
    expect(refused.length - before).toBe(1);
    expect(refused[0]).toMatchObject({
      actor: `telegram:${user.id}`,
      target: approval.id,
      details: { reason },
    });
  });

  it('can not answer the question of one chat from another, nor with data that was made up', async () => {
    const mine = await ask('me');
    const theirs = await ask('group');
    telegram.tap(theirs.message.message_id, dataOf(mine.message, 'Approve'), ANA);
    const forged = dataOf(mine.message, 'Deny').data.replace(/^d/, 'a');
    telegram.tap(mine.message.message_id, { data: forged }, ANA);
    telegram.tap(mine.message.message_id, { data: 'anything' }, ANA);
    await eventually(() => telegram.taps.answers.length).toBe(3);
    expect(await stateOf(mine.approval)).toMatchObject({ state: 'pending' });
    expect((await audited('approval.refused')).slice(0, 2).map(({ details }) => details['reason'])).toEqual([
      'not_ours',
      'other_chat',
    ]);
  });

  it('others may: whoever is in a group without a list, and who is on the list', async () => {
    const group = await ask('group');
    telegram.tap(group.message.message_id, 'Approve', BOB);
    await system.until(group.runId, 'succeeded');
    const board = await ask('board');
    telegram.tap(board.message.message_id, 'Deny', ANA);
    expect(await system.until(board.runId, 'failed')).toMatchObject({ reason: 'denied' });
  });
});

describe('listening', () => {
  it('goes on only while a question is open, and confirms what it heard', async () => {
    startDesk({ lingerMs: 0 });
    const { runId, message } = await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    telegram.tap(message.message_id, 'Approve', ANA);
    await system.until(runId, 'succeeded');
    await eventually(() => telegram.taps.unconfirmed).toBe(0);
    await eventually(async () => (await system.store.listMeta('telegram-poll:', 10)).length).toBe(0);
    const count = polls().length;
    await system.bus.publish('approval', { ids: [] });
    await new Promise((resolve) => setImmediate(resolve));
    expect(polls()).toHaveLength(count);
  });

  it('is done by one process; two that hear the same tap decide once', async () => {
    startDesk({ owner: 'wrk_a' });
    startDesk({ owner: 'wrk_b' });
    const { runId, approval, message } = await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    expect(await system.store.listMeta('telegram-poll:', 10)).toHaveLength(1);
    // A second one with a store of its own opinion: nobody holds the right.
    const blind = new Proxy(system.store, {
      get: (target, name) => (name === 'swapMeta' ? async () => true : Reflect.get(target, name, target)),
    });
    startDesk({ owner: 'wrk_c', store: blind });
    telegram.tap(message.message_id, 'Approve', ANA);
    await system.until(runId, 'succeeded');
    await eventually(() => buttonsOf(message.message_id)).toEqual([]);
    await eventually(async () =>
      (await audited('approval.approved')).filter(({ target }) => target === approval.id),
    ).toHaveLength(1);
  });

  it('hears a tap again that could not be handled, and one that was handled by a process that died', async () => {
    let broken = true;
    const flaky = new Proxy(system.store, {
      get: (target, name) =>
        name === 'getApproval' && broken
          ? async () => Promise.reject(new Error('the database is away'))
          : Reflect.get(target, name, target),
    });
    startDesk({ store: flaky });
    const { runId, approval, message } = await ask('me');
    telegram.tap(message.message_id, 'Approve', ANA);
    await eventually(() => said.some(({ message: text }) => text.includes('comes again'))).toBe(true);
    expect(telegram.taps.unconfirmed).toBe(1);
    expect(await stateOf(approval)).toMatchObject({ state: 'pending' });
    // Decided, and dead before the next request confirmed it.
    const { store, bus } = system;
    await decideApproval({ store, bus, now: system.clock.now() }, approval, {
      decision: 'approve',
      by: 'telegram:42',
    });
    broken = false;
    await system.until(runId, 'succeeded');
    await eventually(() => telegram.taps.answers).toMatchObject([
      { text: expect.stringMatching(/^This was approved by Ana/) },
    ]);
    await eventually(() => telegram.taps.unconfirmed).toBe(0);
    await eventually(async () =>
      (await audited('approval.approved')).filter(({ target }) => target === approval.id),
    ).toHaveLength(1);
  });

  it('refuses nobody because the store could not say whose channel it is: the tap is heard again', async () => {
    let isBroken = false;
    const flaky = new Proxy(system.store, {
      get: (target, name) =>
        name === 'getAgent' && isBroken
          ? async () => Promise.reject(new Error('the database is away'))
          : Reflect.get(target, name, target),
    });
    startDesk({ store: flaky });
    await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    isBroken = true;
    const { runId, approval, message } = await ask('group');
    telegram.tap(message.message_id, 'Approve', BOB);
    await eventually(() => said.some(({ message: text }) => text.includes('comes again'))).toBe(true);
    expect(await stateOf(approval)).toMatchObject({ state: 'pending' });
    expect(telegram.taps.answers).toEqual([]);
    isBroken = false;
    await system.until(runId, 'succeeded');
    expect((await audited('approval.refused')).filter(({ target }) => target === approval.id)).toEqual([]);
  });

  it('is given up a week after it ended where the token of the bot is not valid any more, and says so once', async () => {
    startDesk({ lingerMs: 0 });
    const { approval } = await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    const { store, bus, clock } = system;
    telegram.faults.always({
      kind: 'respond',
      status: 401,
      body: { ok: false, description: 'Unauthorized' },
    });
    const edits = () => telegram.requests.filter(({ path }) => path.endsWith('/editMessageText')).length;
    const decision = { decision: 'approve', by: 'agent:somebody' } as const;
    await decideApproval({ store, bus, now: clock.now() }, approval, decision);
    await eventually(edits).toBeGreaterThan(2);
    expect(said.filter(({ message }) => message.includes('could not be edited yet'))).toHaveLength(1);
    expect(await listQuestions(store)).toHaveLength(1);
    clock.advance(8 * 86_400_000);
    await eventually(() => listQuestions(store)).toEqual([]);
    await eventually(async () => (await store.listMeta('telegram-poll:', 10)).length).toBe(0);
  });

  it('says once that another program gets the updates, with what to do, and goes on by itself', async () => {
    telegram.taps.webhook = 'https://example.org/hook';
    const { runId, message } = await ask('me');
    await eventually(async () => [...(await listChannelProblems(system.store)).values()]).toMatchObject([
      { kind: 'webhook', hint: expect.stringContaining('deleteWebhook') },
    ]);
    const before = polls().length;
    await eventually(() => polls().length).toBeGreaterThan(before);
    expect(said.filter(({ message: text }) => text.includes('webhook'))).toHaveLength(1);
    telegram.taps.webhook = null;
    telegram.tap(message.message_id, 'Approve', ANA);
    await system.until(runId, 'succeeded');
    expect((await listChannelProblems(system.store)).size).toBe(0);
  });

  it('calls two refusals in a row a conflict, not one', async () => {
    const conflict = {
      kind: 'respond' as const,
      status: 409,
      body: { ok: false, description: 'Conflict: terminated by other getUpdates request' },
    };
    const { runId, message } = await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    telegram.taps.interrupt();
    await eventually(() => polls().length).toBeGreaterThan(1);
    expect((await listChannelProblems(system.store)).size).toBe(0);
    telegram.faults.always(conflict);
    telegram.taps.interrupt();
    await eventually(async () => [...(await listChannelProblems(system.store)).keys()]).toEqual(['me']);
    telegram.faults.clear();
    telegram.tap(message.message_id, 'Approve', ANA);
    await system.until(runId, 'succeeded');
  });

  it('waits as long as Telegram asks', async () => {
    const { runId, message } = await ask('me');
    await eventually(() => polls().length).toBeGreaterThan(0);
    telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 1 });
    // Ends the request that is held: the next one meets the fault.
    telegram.taps.interrupt();
    await eventually(() => said.some(({ fields }) => JSON.stringify(fields).includes('retry after 1'))).toBe(
      true,
    );
    const before = { polls: polls().length, at: performance.now() };
    telegram.tap(message.message_id, 'Approve', ANA);
    await eventually(() => polls().length).toBeGreaterThan(before.polls);
    expect(performance.now() - before.at).toBeGreaterThan(500);
    await system.until(runId, 'succeeded');
  });
});
