import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { AgentBudget, TaskBudget } from '../../../src/domain/budget.js';
import type { TaskInput } from '../../../src/domain/task.js';
import { Budgets } from '../../../src/server/budget/budgets.js';
import { estimateTask, modelSteps } from '../../../src/server/budget/estimate.js';
import { PriceTable } from '../../../src/server/budget/prices.js';
import { MemoryBus } from '../../../src/server/bus/memory-bus.js';
import { configSchema } from '../../../src/server/config.js';
import { tellBudgetPause } from '../../../src/server/notify/tell-budget.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { startTestSystem, type TestSystem } from '../a-system.js';
import { json, someCallers, startServer, type TestServer } from '../tools/a-tool-system.js';

const USAGE = { prompt_tokens: 100, completion_tokens: 20, total_tokens: 120 };
const answer = (content: string, usage: unknown = USAGE) => ({
  choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage,
});

let folder: string;
let llm: TestServer;
/** What the model answers next, a body or a status; when there is nothing left, something good. */
let script: (Record<string, unknown> | number | 'hang')[];
let system: TestSystem;
let budgets: Budgets;
let refusals: string[];
let callers: ReturnType<typeof someCallers>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pao-budget-'));
  script = [];
  refusals = [];
  llm = await startServer((_request, response) => {
    const next = script.shift() ?? answer('{"text":"good"}');
    if (next === 'hang') return;
    json(
      response,
      typeof next === 'number' ? { error: { message: 'no' } } : next,
      typeof next === 'number' ? next : 200,
    );
  });
  callers = someCallers();
  system = await startTestSystem({
    start: '2026-11-24T21:00:00Z',
    callTool: (tool, input, context) => callers.call(tool, input, context),
    budgets: (store, clock) => {
      budgets = new Budgets({
        store,
        clock,
        prices: new PriceTable(join(folder, 'prices.yaml')),
        observer: {
          add: (name, labels) => {
            if (name === 'budget_refusals_total') refusals.push(labels?.['scope'] ?? '');
          },
          observe() {},
          set() {},
        },
        global: undefined,
        timezone: 'UTC',
        onPaused: (task, why) =>
          tellBudgetPause({
            store,
            bus: new MemoryBus(),
            logger: silentLogger,
            now: () => clock.now(),
            notify: configSchema.parse({
              notify: { tool: 'a.post', with: { text: '${notice.text} ${notice.hint}' } },
            }).notify,
          })(task, why),
      });
      return budgets;
    },
  });
  await system.addTool({
    address: 'llm.chat',
    kind: 'llm',
    grants: [llm.target],
    llm: { provider: 'openai', model: 'small-1', base_url: `${llm.url}/v1`, structured: 'prompt' },
  });
});
afterEach(async () => {
  await system.close();
  await callers.close();
  await llm.close();
  rmSync(folder, { recursive: true, force: true });
});

let names = 0;
const taskWith = (
  budget: Partial<TaskBudget> | undefined,
  more: Partial<TaskInput> = {},
  step: object = {},
) =>
  system.addTask({
    name: `task-${++names}`,
    retry: { max: 2, backoff: 'fixed', base: '50ms' },
    ...(budget === undefined ? {} : { budget }),
    pipeline: [{ id: 'plan', uses: 'llm.chat', with: asked, ...step }],
    ...more,
  } as TaskInput);
const schema = { type: 'object', required: ['text'], properties: { text: { type: 'string' } } };
const asked = { prompt: 'Plan the day.', schema, max_output_tokens: 200 };
const ended = async (task: Awaited<ReturnType<typeof taskWith>>) => {
  const run = await system.runNow(task);
  // Retries are due later on a clock that stands still.
  for (;;) {
    const now = await system.until(run.id, 'succeeded', 'partial', 'failed', 'dead', 'skipped', 'queued');
    if (now.status !== 'queued') return now;
    system.clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const ledger = (runId: string) => system.store.listBudgetEntries({ runId, limit: 100 });
const total = async (key: string) => (await system.store.getSpent([key])).get(key);
const price = (text = 'models:\n  small-*: { input: 1, output: 10 }\n') =>
  writeFileSync(join(folder, 'prices.yaml'), text);

describe('a budget', () => {
  test('that does not reach stops the call before it is made; a fallback goes on, and else the run is skipped', async () => {
    system.startWorker();
    const on_error = { fallback: { text: 'no AI' } };
    const partial = await ended(await taskWith({ per_run: { tokens: 150 } }, {}, { on_error }));
    expect(partial).toMatchObject({ status: 'partial', reason: 'budget', output: { text: 'no AI' } });
    expect((await system.steps(partial.id)).plan).toMatchObject({
      status: 'skipped',
      reason: 'budget',
      attempts: 0,
      error: {
        message: expect.stringMatching(
          /this run may use 150 tokens and has used 0 tokens; .* up to 3\d\d tokens/,
        ),
      },
    });
    const skipped = await ended(await taskWith({ per_run: { tokens: 150 } }));
    expect(skipped).toMatchObject({ status: 'skipped', reason: 'budget', error: { step: 'plan' } });
    expect(llm.requests).toHaveLength(0);
    expect(await ledger(skipped.id)).toEqual([]);
    expect(refusals).toEqual(['run', 'run']);
  });

  test('reserves more than is used, settles with what the provider says, and sums up per run, task, agent and all', async () => {
    price();
    system.startWorker();
    const task = await taskWith({ per_run: { tokens: 4000, usd: 0.05 }, per_day: { usd: 0.1 } });
    const run = await ended(task);
    const [entry] = await ledger(run.id);
    expect(entry).toMatchObject({
      state: 'settled',
      estimated: false,
      model: 'small-1',
      inputTokens: 100,
      outputTokens: 20,
      // 100 tokens at $1 and 20 at $10 for a million.
      spent: { tokens: 120, nanoUsd: 300_000, calls: 1, unpriced: 0 },
    });
    expect(entry?.reserved.tokens).toBeGreaterThan(220);
    for (const key of [
      `run:${run.id}`,
      `task:${task.id}:2026-11-24`,
      `agent:${system.agent.id}:2026-11-24`,
      'all:2026-11-24',
    ])
      expect(await total(key)).toEqual(entry?.spent);
    expect((await system.steps(run.id)).plan).toMatchObject({
      usage: { inputTokens: 100, outputTokens: 20 },
    });
  });

  test.each([
    ['a plain question', { prompt: 'Say hello', max_output_tokens: 100 }],
    [
      'rules, talk and data',
      { system: 'Be kind.', messages: [{ role: 'user', content: 'a' }], data: { x: '<' } },
    ],
    ['a form that is asked for again', { ...asked, max_output_tokens: 20 }],
  ])('is estimated by the request that is sent: %s', async (_, input) => {
    system.startWorker();
    // As long as it gets, and as much wrong with it as there can be.
    script = 'schema' in input ? [answer(`["${'"'.repeat(4000)}`)] : [];
    const task = await taskWith(undefined, { retry: { max: 0 } }, { with: input });
    const tool = (await system.store.getTool('llm.chat'))?.tool ?? null;
    const steps = modelSteps(task.spec, () => tool);
    const estimate = await estimateTask(task.spec, steps, budgets.prices, system.clock.now());
    const entries = await ledger((await ended(task)).id);
    const reserved = entries.map((entry) => entry.reserved.tokens);
    expect(reserved[0]).toBe(estimate?.smallest_call);
    expect(reserved).toHaveLength(estimate?.per_run.calls ?? 0);
    const sum = reserved.reduce((all, one) => all + one, 0);
    expect(sum).toBeLessThanOrEqual(estimate?.per_run.tokens ?? 0);
    if (!('schema' in input)) expect(sum).toBe(estimate?.per_run.tokens);
  });

  test('has every attempt and the repair in its ledger; what nobody counted stays reserved, and is said to be an estimate', async () => {
    system.startWorker();
    script = [429, 500, answer('not JSON'), answer('{"text":"mended"}', null)];
    const run = await ended(await taskWith(undefined));
    expect(run.status).toBe('succeeded');
    const entries = await ledger(run.id);
    expect(entries.map(({ spent, estimated }) => [spent.tokens === 0, estimated])).toEqual([
      [true, false], // turned away: nothing was used
      [false, true], // broke down later: it may have been
      [false, false],
      [false, true], // answered without usage
    ]);
    for (const entry of entries.filter(({ estimated }) => estimated))
      expect(entry.spent).toEqual(entry.reserved);
    expect(entries.every(({ state, spent }) => state === 'settled' && spent.calls === 1)).toBe(true);
    // The step tells the same as the ledger about the attempt that succeeded.
    const [, , third, fourth] = entries;
    expect((await system.steps(run.id)).plan?.usage).toEqual({
      inputTokens: (third?.inputTokens ?? 0) + (fourth?.inputTokens ?? 0),
      outputTokens: (third?.outputTokens ?? 0) + (fourth?.outputTokens ?? 0),
      estimated: true,
    });
    expect((await total(`run:${run.id}`))?.calls).toBe(4);
  });

  test('counts in full what nobody answered, also when the worker died over it', async () => {
    system.startWorker();
    script = ['hang'];
    const timedOut = await ended(await taskWith(undefined, { retry: { max: 0 } }, { timeout: '300ms' }));
    expect(timedOut.reason).toBe('timeout');
    const [entry] = await ledger(timedOut.id);
    expect(entry).toMatchObject({ state: 'settled', estimated: true });
    expect(entry?.spent).toEqual(entry?.reserved);
    // As a process that is killed between the two leaves it.
    const killed = { runId: 'run_killed', task: null, agent: { id: 'agt_x', budget: null } };
    await budgets
      .forCalls(killed, 'plan')
      .reserve({ tool: 'llm.chat', model: 'small-1', inputTokens: 100, outputTokens: 200 });
    expect(await ledger('run_killed')).toMatchObject([
      { state: 'reserved', spent: { tokens: 300, calls: 1 } },
    ]);
    expect((await total('agent:agt_x:2026-11-24'))?.tokens).toBe(300);
  });

  test('that does not reach for the repair leaves it: the answer could not be used', async () => {
    system.startWorker();
    script = [answer('not JSON')];
    const run = await ended(await taskWith({ per_run: { calls: 1 } }));
    expect(run).toMatchObject({ status: 'failed', reason: 'invalid_output' });
    expect(run.error?.message).toMatch(/not JSON.*not asked again.*1 call/);
    expect(llm.requests).toHaveLength(1);
  });

  test('of the day pauses the task when it says so, and says why', async () => {
    system.startWorker();
    const task = await taskWith({ per_day: { tokens: 500 }, on_exceed: 'pause' });
    expect((await ended(task)).status).toBe('succeeded');
    expect(await ended(task)).toMatchObject({ status: 'succeeded' });
    expect(await ended(task)).toMatchObject({ status: 'skipped', reason: 'budget' });
    expect(await system.store.getTask(task.id)).toMatchObject({
      state: 'paused',
      stateReason: expect.stringMatching(/^budget: .*500 tokens on 2026-11-24 and has used 240 tokens/),
    });
    const { items } = await system.store.listAudit({ limit: 1 });
    expect(items[0]).toMatchObject({ action: 'task.paused', actor: 'system' });
    const told = await system.store.listDeliveries({ limit: 10 });
    expect(told.items).toMatchObject([
      {
        origin: 'notice',
        channel: 'a.post',
        taskId: task.id,
        message: {
          input: {
            text: expect.stringMatching(
              /was paused .*500 tokens.* begins anew after 2026-11-24.* pao task resume /,
            ),
          },
        },
      },
    ]);
  });

  test('bounds the runs of a day, retries not counted; the day is that of the task', async () => {
    system.startWorker();
    const task = await taskWith(
      { per_day: { runs: 2 } },
      {
        schedule: { kind: 'cron', expr: '0 0 1 1 *', timezone: 'Europe/Chisinau' },
      },
    );
    script = [500];
    expect(await ended(task)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect((await ended(task)).status).toBe('succeeded');
    const third = await ended(task);
    expect(third).toMatchObject({ status: 'skipped', reason: 'budget' });
    expect(third.error?.message).toContain('2 runs on 2026-11-24');
    expect(await system.steps(third.id)).toEqual({});
    // 22:00Z is midnight in Chisinau.
    system.clock.advance(3_600_000);
    expect((await ended(task)).status).toBe('succeeded');
  });

  test('of runs counts a condition when it triggers; what triggers beyond it is looked at again, and runs the next day', async () => {
    let hot = false;
    const site = await startServer((_request, response) => json(response, { hot }));
    const grants = [site.target];
    await system.addTool({
      address: 'm.heat',
      kind: 'http',
      side_effect: 'read',
      grants,
      http: { url: site.url },
    });
    system.startWorker();
    const task = await taskWith(
      { per_day: { runs: 1 } },
      {
        schedule: { kind: 'condition', every: '1h', check: { uses: 'm.heat' }, when: 'result.hot' } as never,
      },
    );
    const look = async (now: boolean) => {
      hot = now;
      const { id } = await system.runNow(task, { trigger: 'condition' });
      const { status, reason } = await system.until(id, 'succeeded', 'skipped', 'failed');
      return reason ?? status;
    };
    for (let i = 0; i < 3; i += 1) expect(await look(false)).toBe('condition');
    expect(await look(true)).toBe('succeeded');
    expect([await look(true), await look(false)]).toEqual(['condition', 'condition']);
    expect([await look(true), await look(true)]).toEqual(['budget', 'budget']);
    system.clock.advance(3 * 3_600_000);
    expect([await look(true), await look(true)]).toEqual(['succeeded', 'condition']);
    await site.close();
  });

  test('of an agent holds over its tasks, however many run at once', async () => {
    const budget: AgentBudget = { per_day: { calls: 3 }, on_exceed: 'skip' };
    await system.store.updateAgent({ ...system.agent, budget });
    const tasks = await Promise.all(Array.from({ length: 8 }, () => taskWith(undefined)));
    const runs = await Promise.all(tasks.map((task) => system.runNow(task)));
    system.startWorker({ concurrency: 4 });
    system.startWorker({ concurrency: 4 });
    const done = await Promise.all(runs.map(({ id }) => system.until(id, 'succeeded', 'skipped')));
    expect(done.filter(({ status }) => status === 'succeeded')).toHaveLength(3);
    expect(llm.requests).toHaveLength(3);
    expect(new Set(refusals)).toEqual(new Set(['agent_day']));
  });

  test('in dollars is never spent on a model whose price is not known', async () => {
    system.startWorker();
    const task = await taskWith({ per_run: { usd: 1 } });
    const unknown = await ended(task);
    expect(unknown).toMatchObject({ status: 'skipped', reason: 'budget' });
    expect(unknown.error?.message).toContain(
      `small-1 is not known, and there is a budget in USD: write it into ${folder}`,
    );
    price('models: { small-1: { input: free } }');
    expect((await ended(task)).error?.message).toContain('/models/small-1/input');
    price();
    expect((await ended(task)).status).toBe('succeeded');
    // Without a budget in dollars the call is made, and it is said that its price is not known.
    price('tools: { other.tool: { input: 0, output: 0 } }');
    const free = await ended(await taskWith({ per_run: { tokens: 4000 } }));
    expect((await ledger(free.id))[0]?.spent).toMatchObject({ nanoUsd: 0, unpriced: 1 });
  });

  test('of calls counts requests of other tools as well, before they are made', async () => {
    const site = await startServer((_request, response) => json(response, { ok: true }));
    try {
      await system.addTool({
        address: 'site.get',
        kind: 'http',
        side_effect: 'read',
        grants: [site.target],
        http: { url: `${site.url}/` },
      });
      system.startWorker();
      const step = (id: string) => ({ id, uses: 'site.get', on_error: 'continue' as const });
      const task = await taskWith({ per_run: { calls: 2 } }, {
        pipeline: [step('a'), step('b'), step('c')],
      } as never);
      const run = await ended(task);
      expect(run).toMatchObject({ status: 'partial', reason: 'budget' });
      expect(site.requests).toHaveLength(2);
      expect((await system.steps(run.id)).c).toMatchObject({ status: 'skipped', reason: 'budget' });
      expect((await total(`run:${run.id}`))?.calls).toBe(2);
    } finally {
      await site.close();
    }
  });
});
