import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../start-pao.js';
import {
  applyTask,
  BOT_TOKEN,
  briefingTask,
  CLOCK,
  finishedRun,
  type Json,
  MAIL_SECRET,
  message,
  type RunView,
  runTask,
  startWorld,
  step,
  stepOf,
  type World,
} from './briefing-world.js';

let world: World;
let pao: Pao;
let tasks = 0;

beforeAll(async () => {
  world = await startWorld();
  pao = await startPao({ home: world.makeHome(), clock: CLOCK });
  world.writeSecrets(pao.home);
  await pao.json(['tool', 'import', 'tools.yaml'], { cwd: world.directory });
});
afterAll(async () => {
  try {
    await pao?.stop();
  } finally {
    pao?.cleanUp();
    await world?.close();
  }
});
beforeEach(() => {
  for (const server of [world.weather, world.mail, world.chat, world.telegram]) {
    server.faults.clear();
    server.requests.length = 0;
  }
  world.mail.calls.length = 0;
  world.telegram.messages.length = 0;
  world.notices.length = 0;
  world.breakCalendar(null);
});

/** The briefing as a task of its own that runs when asked to and retries fast. */
async function apply(
  change: (task: Json & { pipeline: Json[] }) => void = () => {},
): Promise<{ id: string }> {
  const task = briefingTask(world);
  delete task.schedule;
  delete task.concurrency;
  task.name = `briefing-${++tasks}`;
  task.retry = { max: 1, backoff: 'fixed', base: '50ms', cap: '60s' };
  change(task);
  return applyTask(pao, task);
}
const run = async (change?: (task: Json & { pipeline: Json[] }) => void): Promise<RunView> =>
  runTask(pao, (await apply(change)).id);
const sent = () => world.telegram.messages.map((message) => message.text);
const prompts = () => world.chat.requests.map((request) => request.body);

describe('F1: the weather hangs', () => {
  it('gives up after the timeout, closes the connection, retries, and sends the briefing without it', async () => {
    world.weather.faults.always({ kind: 'hang' });
    const found = await run((task) => {
      // Long enough for the request to reach the server on a busy machine.
      stepOf(task, 'wx').timeout = '2s';
    });
    expect(found).toMatchObject({ status: 'partial', reason: 'timeout' });
    expect(step(found, 'wx')).toMatchObject({ status: 'failed', attempts: 2, error: { kind: 'timeout' } });
    await until('the connections to be closed', () =>
      world.weather.requests.every((request) => request.aborted),
    );
    // `attempts` counts both; on a busy machine one may run out of time before its request is there.
    expect([1, 2]).toContain(world.weather.requests.length);
    expect(sent()).toHaveLength(1);
    expect(prompts()[0]).not.toContain('temperature_2m');
  });
});

describe('F2: the weather is a word', () => {
  it('names the value that is wrong and does not try again', async () => {
    world.weather.faults.always({ kind: 'wrong_type' });
    const found = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'invalid_output' });
    expect(step(found, 'wx')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { kind: 'invalid_output', pointer: '/current/temperature_2m' },
    });
    expect(world.weather.requests).toHaveLength(1);
    expect(sent()).toHaveLength(1);
  });
});

describe('F3: the weather says 429', () => {
  it('waits as long as Retry-After says and succeeds at the second call', async () => {
    world.weather.faults.next({ kind: 'respond', status: 429, headers: { 'retry-after': '2' } });
    const { id } = await apply();
    const began = performance.now();
    const found = await runTask(pao, id);
    expect(found.status).toBe('succeeded');
    expect(step(found, 'wx')).toMatchObject({ status: 'succeeded', attempts: 2 });
    expect(world.weather.requests).toHaveLength(2);
    // The back-off alone would be 50 ms; a lower bound can not be missed by a slow machine.
    expect(performance.now() - began).toBeGreaterThanOrEqual(2000);
    expect(world.calendarCalls().length).toBeGreaterThan(0);
  });

  it('does not sleep for a day', async () => {
    world.weather.faults.next({ kind: 'respond', status: 429, headers: { 'retry-after': '86400' } });
    const found = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'rate_limited' });
    expect(step(found, 'wx')).toMatchObject({ status: 'failed', attempts: 1 });
  });

  it('reads the date form', async () => {
    // The clock of the system under test is a test clock; a date in its past means: at once.
    world.weather.faults.next({
      kind: 'respond',
      status: 429,
      headers: { 'retry-after': 'Tue, 24 Nov 2026 06:29:00 GMT' },
    });
    const past = await run();
    expect(step(past, 'wx')).toMatchObject({ status: 'succeeded', attempts: 2 });
    world.weather.faults.next({
      kind: 'respond',
      status: 429,
      headers: { 'retry-after': 'Wed, 25 Nov 2026 12:00:00 GMT' },
    });
    const future = await run();
    expect(step(future, 'wx')).toMatchObject({ status: 'failed', attempts: 1, reason: 'rate_limited' });
  });
});

describe('F4: the model refuses', () => {
  it('sends the fallback, asks once, and counts the tokens', async () => {
    world.chat.faults.always({ kind: 'refuse' });
    const found = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'refused' });
    const plan = step(found, 'plan');
    expect(plan).toMatchObject({ status: 'failed', attempts: 1, error: { kind: 'refused' } });
    expect(plan.usage?.input_tokens).toBeGreaterThan(0);
    expect(prompts()).toHaveLength(1);
    expect(sent()).toEqual(['Briefing (no AI): 4 events, 3 unread.']);
  });
});

describe('F5: the model answers what can not be used', () => {
  it('asks for a repair once, then falls back, with the tokens of both calls', async () => {
    world.chat.faults.always({ kind: 'content', text: '{"text": 42' });
    const found = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'invalid_output' });
    expect(prompts()).toHaveLength(2);
    expect(prompts()[1]).toContain('cannot be used');
    const first = Math.ceil(JSON.stringify(JSON.parse(prompts()[0] as string).messages).length / 8);
    expect(step(found, 'plan').usage?.input_tokens).toBeGreaterThan(first);
    expect(sent()).toEqual(['Briefing (no AI): 4 events, 3 unread.']);
  });

  it('takes a repaired answer', async () => {
    world.chat.faults.next({ kind: 'content', text: 'Sure! Here is your plan.' });
    const found = await run();
    expect(found.status).toBe('succeeded');
    expect(prompts()).toHaveLength(2);
    expect(sent()[0]).toContain('Daily standup');
  });

  it('says that an answer was cut off', async () => {
    world.chat.faults.always({ kind: 'truncate' });
    const found = await run();
    expect(found).toMatchObject({ status: 'partial', reason: 'truncated' });
    expect(sent()).toEqual(['Briefing (no AI): 4 events, 3 unread.']);
  });
});

describe('F6: the model is busy, or the key is wrong', () => {
  it('comes back after two 429', async () => {
    world.chat.faults.next(
      { kind: 'respond', status: 429, headers: { 'retry-after': '1' }, body: { error: { message: 'busy' } } },
      2,
    );
    const found = await run((task) => {
      task.retry = { max: 2, backoff: 'fixed', base: '50ms', cap: '60s' };
    });
    expect(found.status).toBe('succeeded');
    expect(step(found, 'plan').attempts).toBe(3);
    // The steps before it are not done again.
    expect(world.mail.calls).toHaveLength(1);
  });

  it('does not try a wrong key again, and tells of it once', async () => {
    world.chat.faults.always({ kind: 'respond', status: 401, body: { error: { message: 'bad key' } } });
    const { id } = await apply();
    const found = await runTask(pao, id);
    expect(found).toMatchObject({ status: 'partial', reason: 'auth' });
    expect(prompts()).toHaveLength(1);
    const told = await until('the notice', () => world.notices[0] ?? null);
    expect(told).toMatchObject({
      kind: 'step_failing',
      task: found.task_name,
      reason: 'auth',
      hint: `pao run show ${found.id}`,
    });
    expect(told.text).toContain('plan (llm.chat)');
    expect(await runTask(pao, id)).toMatchObject({ status: 'partial', reason: 'auth' });
    // What ended after it is told of: it was looked at, and not told of again.
    const other = await run();
    await until('the notice of another task', () =>
      world.notices.some(({ task }) => task === other.task_name),
    );
    expect(world.notices.filter(({ task }) => task === found.task_name)).toHaveLength(1);
  });
});

describe('F7: the budget does not reach', () => {
  const budget = (on_exceed: string) => ({ per_run: { tokens: 500 }, on_exceed });

  it('asks no model and sends the fallback', async () => {
    const found = await run((task) => {
      task.budget = budget('skip');
    });
    expect(found).toMatchObject({ status: 'partial', reason: 'budget' });
    expect(prompts()).toHaveLength(0);
    expect(step(found, 'plan')).toMatchObject({ status: 'skipped', reason: 'budget', attempts: 0 });
    expect(sent()).toEqual(['Briefing (no AI): 4 events, 3 unread.']);
    const shown = await pao.cli(['run', 'show', found.id]);
    expect(shown.stdout).toContain('this run may use 500 tokens and has used 0 tokens');
  });

  it('without a fallback skips the run, and pauses the task where it is to', async () => {
    const { id } = await apply((task) => {
      task.budget = budget('pause');
      delete stepOf(task, 'plan').on_error;
    });
    const found = await runTask(pao, id);
    expect(found).toMatchObject({ status: 'skipped', reason: 'budget' });
    expect(prompts()).toHaveLength(0);
    expect(sent()).toEqual([]);
    const { body } = await pao.api<Json>('GET', `/v1/tasks/${id}`);
    expect(body).toMatchObject({
      state: 'paused',
      state_reason: expect.stringMatching(/^budget: .*500 tokens/),
    });
  });
});

describe('F8: a manual run beside another one of the day', () => {
  it('makes two runs and one message, and shows the first outcome in the second', async () => {
    const { id } = await apply();
    const first = await runTask(pao, id);
    const second = await runTask(pao, id);
    expect(first.id).not.toBe(second.id);
    expect(sent()).toHaveLength(1);
    expect(message(first).status).toBe('delivered');
    expect(second.deliveries).toEqual([]);
    expect(step(second, 'ping')).toMatchObject({
      status: 'skipped',
      reason: 'dedupe',
      output: { delivery_id: message(first).id, status: 'delivered' },
    });
  });
});

describe('F10: Telegram takes the message and drops the connection', () => {
  it('leaves the outcome unknown and sends nothing again', async () => {
    world.telegram.faults.next({ kind: 'accept_then_drop' });
    const found = await run((task) => {
      task.retry = { max: 3, backoff: 'fixed', base: '50ms' };
    });
    // The run did its work; whether the message arrived is another question.
    expect(found).toMatchObject({ status: 'succeeded', delivery: 'unknown' });
    expect(message(found)).toMatchObject({ status: 'unknown', attempts: 1 });
    // A replay does not send it either: the key is the same.
    const { body } = await pao.api<RunView>('POST', `/v1/runs/${found.id}/replay`, {});
    const replayed = await finishedRun(pao, body.id);
    expect(step(replayed, 'ping')).toMatchObject({ status: 'skipped', reason: 'dedupe' });
    expect(sent()).toHaveLength(1);
    const { id } = message(found);
    const listed = await pao.cli(['delivery', 'list', '--status', 'unknown', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ id }] });
    const resolved = await pao.cli([
      'delivery',
      'resolve',
      id,
      '--as',
      'delivered',
      '-m',
      'seen in the chat',
    ]);
    expect(resolved).toMatchObject({ code: 0 });
    expect((await pao.api('GET', `/v1/deliveries/${id}`)).body).toMatchObject({
      status: 'delivered',
      reason: 'seen in the chat',
    });
    expect((await pao.cli(['delivery', 'resend', id])).code).toBe(0);
    await until('the message to be sent again', () => sent().length === 2);
  });
});

describe('F11: Telegram wants a pause, and short texts', () => {
  it('waits for parameters.retry_after and delivers once', async () => {
    world.telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 1 });
    const began = performance.now();
    const found = await run();
    expect(found.status).toBe('succeeded');
    expect(message(found)).toMatchObject({ status: 'delivered', attempts: 2 });
    expect(performance.now() - began).toBeGreaterThanOrEqual(1000);
    expect(sent()).toHaveLength(1);
  });

  it('splits a text of 5000 characters instead of being refused', async () => {
    const text = Array.from({ length: 500 }, (_, index) => `line ${String(index).padStart(4, '0')}`).join(
      '\n',
    );
    const found = await run((task) => {
      (stepOf(task, 'ping').with as Json).text = text;
    });
    expect(found.status).toBe('succeeded');
    expect(sent()).toHaveLength(2);
    expect(sent().join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
    expect(Math.max(...sent().map((part) => part.length))).toBeLessThanOrEqual(4096);
  });
});

describe('F12: an agent without the right to read mail', () => {
  it('is told which scope is missing, and a right that is taken away later stops the run before the call', async () => {
    const scopes = [
      'tasks:read',
      'tasks:write',
      'runs:read',
      'runs:write',
      'tool:calendar.*',
      'tool:weather.*',
      'tool:llm.chat',
      'tool:telegram.*',
    ];
    const poor = await agent('poor', scopes);
    const task = briefingTask(world);
    delete task.schedule;
    const refused = await pao.api<{ detail: string; errors?: unknown }>(
      'PUT',
      '/v1/tasks/by-name/poor-briefing',
      { ...task, name: 'poor-briefing' },
      { token: poor.token },
    );
    expect(refused.status).toBe(403);
    expect(JSON.stringify(refused.body)).toContain('tool:mail.top_unread');

    const rich = await agent('rich', [...scopes, 'tool:mail.*']);
    task.retry = { max: 2, backoff: 'fixed', base: '50ms' };
    // Without it a mail that may not be read would only be left out.
    delete stepOf(task, 'mail').on_error;
    const created = await pao.api<{ id: string }>(
      'PUT',
      '/v1/tasks/by-name/rich-briefing',
      { ...task, name: 'rich-briefing' },
      { token: rich.token },
    );
    expect(created.status).toBeLessThan(300);
    const patched = await pao.api('PATCH', `/v1/agents/${rich.id}`, { scopes });
    expect(patched.status).toBe(200);
    const found = await runTask(pao, created.body.id);
    expect(found).toMatchObject({ status: 'failed', reason: 'forbidden' });
    expect(step(found, 'mail')).toMatchObject({ status: 'failed', error: { kind: 'forbidden' } });
    expect(world.mail.calls).toEqual([]);
    expect(sent()).toEqual([]);
  });

  async function agent(name: string, scopes: string[]): Promise<{ id: string; token: string }> {
    const { status, body } = await pao.api<{ id: string; token?: unknown; secret?: string }>(
      'POST',
      '/v1/agents',
      { name, scopes },
    );
    expect({ status, body }).toMatchObject({ status: 201 });
    const token =
      typeof body.token === 'string'
        ? body.token
        : ((body.token as { secret?: string } | undefined)?.secret ?? body.secret);
    expect(token).toMatch(/^pao_/);
    return { id: body.id, token: token as string };
  }
});

describe('F13: the calendar dies, is unknown, or says no', () => {
  it('starts a server that died again and goes on', async () => {
    world.breakCalendar('exit once');
    const before = world.calendarCalls().length;
    const found = await run();
    expect(found.status).toBe('succeeded');
    expect(world.calendarCalls().length - before).toBe(2);
    expect(sent()).toHaveLength(1);
  });

  it('reports a server that dies every time', async () => {
    world.breakCalendar('exit');
    const found = await run();
    expect(['failed', 'dead']).toContain(found.status);
    expect(step(found, 'cal')).toMatchObject({ status: 'failed', error: { kind: 'transport' } });
    expect(sent()).toEqual([]);
  });

  it('takes isError for the error it is', async () => {
    world.breakCalendar('error');
    const found = await run();
    expect(['failed', 'dead']).toContain(found.status);
    expect(step(found, 'cal')).toMatchObject({
      status: 'failed',
      error: { kind: 'tool_error', message: expect.stringContaining('locked by another program') },
    });
  });

  it('refuses a pipeline that calls an unknown tool', async () => {
    const task = briefingTask(world);
    stepOf(task, 'cal').uses = 'calendar.list_evens';
    const { status, body } = await pao.api<{ errors: { pointer: string; hint?: string }[] }>(
      'PUT',
      '/v1/tasks/by-name/unknown-tool',
      { ...task, name: 'unknown-tool' },
    );
    expect(status).toBe(422);
    expect(body.errors).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          pointer: '/pipeline/0/uses',
          hint: expect.stringContaining('calendar.list_events'),
        }),
      ]),
    );
  });

  it('says config_error when the server has lost the tool', async () => {
    const { body: tool } = await pao.api<Json & { mcp: Json }>('GET', '/v1/tools/calendar.list_events');
    const { status } = await pao.api('PUT', '/v1/tools/calendar.gone', {
      ...Object.fromEntries(
        Object.entries(tool).filter(([name]) =>
          ['title', 'description', 'kind', 'input_schema', 'side_effect'].includes(name),
        ),
      ),
      address: 'calendar.gone',
      mcp: { ...tool.mcp, tool: 'gone' },
    });
    expect(status).toBeLessThan(300);
    const found = await run((task) => {
      stepOf(task, 'cal').uses = 'calendar.gone';
    });
    expect(found.status).toBe('failed');
    expect(step(found, 'cal')).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { kind: 'config_error' },
    });
  });
});

describe('F14: the mail server refuses the token', () => {
  it('says auth, does not try again, and shows neither token', async () => {
    world.writeSecrets(pao.home, { MAIL_TOKEN: 'wrong-mail-token', TELEGRAM_BOT_TOKEN: BOT_TOKEN });
    try {
      const found = await run();
      expect(found).toMatchObject({ status: 'partial', reason: 'auth' });
      expect(step(found, 'mail')).toMatchObject({ status: 'failed', attempts: 1, error: { kind: 'auth' } });
      expect(JSON.stringify(found)).not.toContain('wrong-mail-token');
      expect(JSON.stringify(found)).not.toContain(MAIL_SECRET);
      expect(sent()).toHaveLength(1);
    } finally {
      world.writeSecrets(pao.home);
    }
  });
});

describe('a run that is replayed', () => {
  it('does not send the message of the day again', async () => {
    const { id } = await apply();
    const first = await runTask(pao, id);
    const { status, body } = await pao.api<{ id: string }>('POST', `/v1/runs/${first.id}/replay`, {});
    expect(status).toBeLessThan(300);
    const replayed = await finishedRun(pao, body.id);
    expect(replayed.trigger).toBe('replay');
    expect(sent()).toHaveLength(1);
  });
});
