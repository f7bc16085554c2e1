import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
beforeEach(async () => {
  api = await startTestApi();
  const llm = { provider: 'openai', base_url: 'https://api.example.com/v1', model: 'gpt-small' };
  await api.send('POST', '/v1/tools', { body: { address: 'llm.chat', kind: 'llm', llm } });
});
afterEach(() => api.close());

const task = (budget: unknown, more: object = {}) => ({
  name: 'brief',
  schedule: { kind: 'cron', expr: '*/15 * * * *', timezone: 'UTC' },
  retry: { max: 1 },
  budget,
  pipeline: [{ id: 'plan', uses: 'llm.chat', with: { prompt: 'Plan.', schema: {}, max_output_tokens: 100 } }],
  ...more,
});

describe('a budget', () => {
  test('in dollars is refused when nobody knows what the model costs; in tokens it is taken', async () => {
    const refused = await api.send('POST', '/v1/tasks', {
      body: task({ per_run: { usd: 1 }, per_day: { usd: 1 } }),
    });
    expect(refused.status).toBe(422);
    expect(refused.body.errors).toMatchObject([
      { pointer: '/budget/per_run/usd', hint: expect.stringMatching(/prices\.yaml.*gpt-small: \{ input/) },
      { pointer: '/budget/per_day/usd' },
    ]);
    const wrong = await api.send('POST', '/v1/tasks', {
      body: task({ per_run: { tokens: 1.5, runs: 1 }, on_exceed: 'stop' }),
    });
    expect(wrong.body.errors.map(({ pointer }: { pointer: string }) => pointer).sort()).toEqual([
      '/budget/on_exceed',
      '/budget/per_run/runs',
      '/budget/per_run/tokens',
    ]);
    const taken = await api.send('POST', '/v1/tasks', { body: task({ per_run: { tokens: 100 } }) });
    expect(taken).toMatchObject({
      status: 201,
      body: {
        budget: { per_run: { tokens: 100 }, on_exceed: 'skip' },
        // One retry, each with one repair; 96 quarters of an hour.
        estimate: {
          per_run: { calls: 4, usd: null },
          per_day: { runs: 96, calls: 384 },
          unknown_prices: ['gpt-small'],
        },
        spent_today: { tokens: 0, words: 'nothing' },
        warnings: [
          { code: 'budget_too_small', message: expect.stringContaining('the budget is 100 tokens a run') },
        ],
      },
    });
    const { body } = await api.send('POST', '/v1/tasks', {
      body: { name: 'plain', pipeline: [{ id: 'one', uses: 'debug.echo' }] },
    });
    expect(body).toMatchObject({ budget: null, estimate: null });
  });

  test('that can never let one request through is warned of, whosever it is; what just fits is not', async () => {
    const plain = [{ id: 'hello', uses: 'llm.chat', with: { prompt: 'Say hello', max_output_tokens: 100 } }];
    const one = { ...task({ per_day: { tokens: 130 } }), retry: undefined, pipeline: plain };
    const tight = await api.send('POST', '/v1/tasks', { body: one });
    const { smallest_call: least, per_run: run } = tight.body.estimate;
    expect(run.tokens).toBe(least);
    expect(tight.body.warnings).toMatchObject([
      {
        code: 'budget_too_small',
        message: `No model is ever asked: one call sets aside ${least} tokens or more, and the budget is 130 tokens a day.`,
      },
    ]);
    const fits = { ...one, name: 'fits', budget: { per_day: { tokens: least } } };
    expect((await api.send('POST', '/v1/tasks', { body: fits })).body.warnings).toEqual([]);
    const agent = (await api.send('GET', `/v1/tasks/fits`)).body.agent_id;
    await api.send('PATCH', `/v1/agents/${agent}`, { body: { budget: { per_day: { tokens: 90 } } } });
    const many = { ...one, name: 'many', budget: undefined };
    expect((await api.send('POST', '/v1/tasks', { body: many })).body.warnings).toMatchObject([
      { message: expect.stringContaining('the budget of its agent is 90 tokens a day') },
    ]);
  });

  test.each([
    ['Europe/Chisinau', '0 9 * * *', 1],
    ['America/New_York', '0 9 * * *', 1],
    ['UTC', '0 9 * * *', 1],
    ['Asia/Tokyo', '0 9,21 * * *', 2],
    ['UTC', '* * * * *', 1440],
    ['UTC', '*/30 * * * * *', 2880],
  ])('counts the runs of a local day: in %s %s gives %i', async (timezone, expr, runs) => {
    const schedule = { kind: 'cron', expr, timezone };
    const { body } = await api.send('POST', '/v1/tasks', { body: task(undefined, { schedule }) });
    expect(body.estimate.per_day.runs).toBe(runs);
  });

  test('of an agent is set, shown and taken away', async () => {
    const { id } = await api.anAgent('mailer', ['tasks:read']);
    const budget = { per_day: { usd: 2, runs: 50 }, timezone: 'Europe/Chisinau' };
    const path = `/v1/agents/${id}`;
    expect((await api.send('PATCH', path, { body: { budget } })).body).toMatchObject({
      name: 'mailer',
      budget: { ...budget, on_exceed: 'skip' },
    });
    expect((await api.send('GET', path)).body.spent_today).toMatchObject({
      limits: budget.per_day,
      words: '$0 of $2.00, 0 runs of 50 runs',
    });
    const nowhere = { ...budget, timezone: 'Europe/Kishinau' };
    expect((await api.send('PATCH', path, { body: { budget: nowhere } })).body.errors).toMatchObject([
      { pointer: '/budget/timezone', hint: expect.stringContaining('Europe/Chisinau') },
    ]);
    expect((await api.send('PATCH', path, { body: { title: 'M' } })).body.budget).toMatchObject(budget);
    expect((await api.send('PATCH', path, { body: { budget: null } })).body.budget).toBeNull();
  });
});
