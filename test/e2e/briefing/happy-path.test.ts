import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LLMock } from '@copilotkit/aimock';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEMO_MODEL } from '../../../src/demo/chat-server.js';
import { type Pao, startPao, until } from '../start-pao.js';
import {
  applyTask,
  BOT_TOKEN,
  briefingTask,
  finishedRun,
  type Json,
  MAIL_SECRET,
  message,
  type RunView,
  runsOf,
  startWorld,
  step,
  type World,
} from './briefing-world.js';

const BRIEF = {
  text: 'Standup 09:30, dentist 14:00, snow.',
  must_dos: ['Q4 numbers', 'Sign contract', 'Dentist'],
};

const BUDGET = { per_run: { tokens: 4000, usd: 0.05 }, per_day: { usd: 0.1 }, on_exceed: 'skip' };
/** 512 tokens at $0.25 and 64 at $2 for a million. */
const COST = 0.000256;

let llm: LLMock;
let world: World;
let pao: Pao;
let run: RunView;
let taskId: string;

beforeAll(async () => {
  llm = new LLMock({ port: 0, strict: true });
  // In strict mode a prompt that lost one of these is answered 503, so a broken template can not pass.
  llm.on(
    {
      predicate: (request) => {
        const prompt = JSON.stringify(request.messages);
        return ['Daily standup', 'Dentist', 'Q4 numbers', '-4.8'].every((word) => prompt.includes(word));
      },
    },
    {
      content: JSON.stringify(BRIEF),
      usage: { prompt_tokens: 512, completion_tokens: 64, total_tokens: 576 },
    },
  );
  await llm.start();
  world = await startWorld({ chatUrl: llm.url });
  // Early enough that a busy machine has taken the task in before it is due.
  pao = await startPao({ clock: '2026-11-24T06:00:00Z' });
  world.writeSecrets(pao.home);
  await pao.json(['tool', 'import', 'tools.yaml'], { cwd: world.directory });
  writeFileSync(
    join(pao.home, 'prices.yaml'),
    `models: { ${DEMO_MODEL}: { input: 0.25, output: 2 } } # US dollars for a million tokens\n`,
  );
  await applyTask(pao, { ...briefingTask(world), budget: BUDGET });
  const { body: clock } = await pao.api<{ now: string }>('GET', '/v1/clock');
  await pao.advance(Date.parse('2026-11-24T06:29:55Z') - Date.parse(clock.now));
  const { body } = await pao.api<{ items: { id: string; name: string }[] }>('GET', '/v1/tasks');
  taskId = body.items.find((task) => task.name === 'morning-briefing')?.id as string;
  const fired = await until(
    'the occurrence of 06:30Z',
    async () => (await runsOf(pao, taskId))[0] ?? null,
    45_000,
  );
  run = await finishedRun(pao, fired.id);
}, 120_000);

afterAll(async () => {
  try {
    await pao?.stop();
  } finally {
    pao?.cleanUp();
    await world?.close();
    await llm?.stop();
  }
});

describe('the morning briefing', () => {
  it('runs exactly once, at 08:30 in Chisinau, within a second', async () => {
    expect(await runsOf(pao, taskId)).toHaveLength(1);
    expect(run).toMatchObject({
      status: 'succeeded',
      reason: null,
      trigger: 'schedule',
      scheduled_for: expect.stringMatching(/^2026-11-24T06:30:00(\.000)?Z$/),
      attempt: 1,
    });
    expect(Date.parse(run.started_at as string) - Date.parse('2026-11-24T06:30:00Z')).toBeLessThan(1000);
    expect(run.steps.map((one) => [one.id, one.status])).toEqual([
      ['cal', 'succeeded'],
      ['wx', 'succeeded'],
      ['mail', 'succeeded'],
      ['plan', 'succeeded'],
      ['ping', 'succeeded'],
    ]);
  });

  it('reads the local day of the calendar, and nothing of the days around it', () => {
    const { items } = step(run, 'cal').output as {
      items: { summary: string; start: string; all_day: boolean }[];
    };
    expect(items.map((item) => [item.summary, item.start, item.all_day])).toEqual([
      ["Ana's birthday", '2026-11-24', true],
      ['Daily standup', '2026-11-24T07:30:00Z', false],
      ['Dentist', '2026-11-24T12:00:00Z', false],
    ]);
    expect(world.calendarCalls()).toEqual([
      { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00', max: 50 },
    ]);
  });

  it('asks the model once, with calendar, weather and mail as data, and calls no tool an injected mail names', () => {
    const requests = llm.getRequests();
    expect(requests).toHaveLength(1);
    const prompt = JSON.stringify(requests[0]?.body);
    expect(prompt).toContain('Contract semnătură');
    expect(prompt).not.toContain('Already read');
    expect(prompt).not.toContain('Late call US');
    // The text of the mail arrived as data; what it asked for did not happen.
    expect(prompt).toContain('IGNORE PREVIOUS INSTRUCTIONS');
    expect(world.mail.calls).toEqual([{ count: 5 }]);
    expect(world.telegram.requests).toHaveLength(1);
    expect(step(run, 'plan').usage).toMatchObject({ input_tokens: 512, output_tokens: 64 });
  });

  it('books what the model used, once, and no more than it had set aside', async () => {
    const spent = { tokens: 576, usd: COST, calls: 1 };
    expect(run.spent).toMatchObject({
      ...spent,
      estimated: false,
      requests: [
        {
          step: 'plan',
          model: DEMO_MODEL,
          state: 'settled',
          input_tokens: 512,
          output_tokens: 64,
          tokens: 576,
          usd: COST,
        },
      ],
    });
    const [request] = (run.spent as { requests: { reserved_tokens: number }[] }).requests;
    expect(request?.reserved_tokens).toBeGreaterThanOrEqual(576);
    const { body: task } = await pao.api<Json>('GET', `/v1/tasks/${taskId}`);
    expect(task).toMatchObject({
      budget: BUDGET,
      spent_today: { day: '2026-11-24', ...spent, limits: { usd: 0.1 }, words: '$0.000256 of $0.10' },
      estimate: {
        per_day: { runs: 1 },
        words: expect.stringContaining('the budget ends it at 4,000 tokens or $0.05 a run, $0.10 a day'),
      },
    });
    const shown = await pao.cli(['task', 'show', 'morning-briefing']);
    expect(shown.stdout).toContain('$0.000256 of $0.10');
    expect((await pao.cli(['run', 'show', run.id])).stdout).toContain('576 tokens, $0.000256, 1 call');
    const headers = { authorization: `Bearer ${pao.token}` };
    const metrics = await (await fetch(`${pao.url}/metrics`, { headers })).text();
    expect(metrics).toMatch(/^orchestrator_model_tokens_total\{direction="input"\} 512$/m);
    expect(metrics).toMatch(/^orchestrator_model_cost_usd_total 0\.000256$/m);
  });

  it('delivers exactly one message, and it is the one the model wrote', () => {
    expect(world.telegram.messages).toEqual([
      expect.objectContaining({
        message_id: 101,
        chat: { id: 100200300, type: 'private' },
        text: BRIEF.text,
      }),
    ]);
    expect(step(run, 'plan').output).toEqual(BRIEF);
    expect(message(run)).toMatchObject({ status: 'delivered', attempts: 1, answer: { message_id: 101 } });
    expect(step(run, 'ping').output).toMatchObject({ delivery_id: message(run).id });
  });

  it('shows no secret in the run, the logs, the API document and the data directory', async () => {
    const shown = await pao.cli(['run', 'show', run.id]);
    expect(shown.code).toBe(0);
    const openapi = await pao.api('GET', '/openapi.json');
    const files = ['logs', ''].flatMap((folder) =>
      readdirSync(join(pao.home, folder), { withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name !== 'secrets.json')
        .map((entry) => readFileSync(join(pao.home, folder, entry.name), 'latin1')),
    );
    const everything = [
      JSON.stringify(run),
      shown.stdout,
      shown.stderr,
      JSON.stringify(openapi.body),
      pao.output(),
      ...files,
    ].join('\n');
    expect(everything).not.toContain(MAIL_SECRET);
    expect(everything).not.toContain(BOT_TOKEN);
    expect(everything).not.toContain(encodeURIComponent(BOT_TOKEN));
  });

  it('knows the next mornings, over the weekend and over the change to summer time', async () => {
    const next = async (from: string, count: number) => {
      const { body } = await pao.api<{ items: { scheduled_for?: string; at?: string; utc?: string }[] }>(
        'GET',
        `/v1/tasks/${taskId}/occurrences?from=${encodeURIComponent(from)}&count=${count}`,
      );
      return body.items.map((item) =>
        new Date((item.scheduled_for ?? item.utc ?? item.at) as string).toISOString(),
      );
    };
    expect(await next('2026-11-24T06:30:00Z', 4)).toEqual([
      '2026-11-25T06:30:00.000Z',
      '2026-11-26T06:30:00.000Z',
      '2026-11-27T06:30:00.000Z',
      '2026-11-30T06:30:00.000Z',
    ]);
    expect(await next('2027-03-26T00:00:00Z', 2)).toEqual([
      '2027-03-26T06:30:00.000Z',
      '2027-03-29T05:30:00.000Z',
    ]);
  });

  it('is the same through MCP: a client of the old era lists it, reads the run and starts another, which sends nothing twice', async () => {
    const client = new Client({ name: 'test', version: '1' });
    const init = { requestInit: { headers: { authorization: `Bearer ${pao.token}` } } };
    await client.connect(new StreamableHTTPClientTransport(new URL(`${pao.url}/mcp`), init) as Transport);
    const call = async (name: string, input: object) => {
      const answer = await client.callTool({ name, arguments: { ...input } });
      expect([name, answer.isError ?? false]).toEqual([name, false]);
      return answer.structuredContent as { id: string; status: string; items: { name: string }[] };
    };
    try {
      expect((await call('task_list', {})).items.map(({ name }) => name)).toContain('morning-briefing');
      expect(await call('run_get', { id: run.id })).toMatchObject({
        id: run.id,
        status: 'succeeded',
        task_name: 'morning-briefing',
        steps: [{ id: 'cal' }, { id: 'wx' }, { id: 'mail' }, { id: 'plan' }, { id: 'ping' }],
      });
      const again = await call('task_run_now', { id: 'morning-briefing', wait: '20s' });
      expect(again).toMatchObject({ trigger: 'manual', task_name: 'morning-briefing' });
      await until('the second run to end', async () =>
        /succeeded|skipped|partial/.test((await call('run_get', { id: again.id })).status),
      );
    } finally {
      await client.close();
    }
    expect(world.telegram.messages).toHaveLength(1);
  });

  it('F20: answers 503 to a prompt that lost the calendar, so that a broken template is not taken for a good day', async () => {
    const task = briefingTask(world);
    const plan = task.pipeline.find((one) => one.id === 'plan') as { with: { data: { events: unknown } } };
    plan.with.data.events = [];
    const { id } = await applyTask(pao, {
      ...task,
      name: 'broken-template',
      schedule: undefined,
      retry: { max: 0 },
    });
    const { body } = await pao.api<{ id: string }>('POST', `/v1/tasks/${id}/run`, {});
    const broken = await finishedRun(pao, body.id);
    expect(broken.status).toBe('partial');
    expect(step(broken, 'plan')).toMatchObject({
      status: 'failed',
      error: { message: expect.stringContaining('503') },
    });
  });
});
