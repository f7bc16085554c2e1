import { describe, expect, it } from 'vitest';
import { simulationDocument } from '../../../src/cli/render/simulation.js';
import {
  readSimulatedAgent,
  readSimulatedEvents,
} from '../../../src/server/simulate/read-simulated-inputs.js';
import { readSimulatedTask } from '../../../src/server/simulate/read-simulated-task.js';
import { simulate } from '../../../src/server/simulate/simulate.js';
import type {
  SimulatedRequest,
  SimulatedTask,
  SimulationOptions,
} from '../../../src/server/simulate/simulation.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FROM = Date.parse('2026-12-01T00:00:00Z');
const ASK = [{ id: 'ask', uses: 'llm.chat', with: { prompt: 'Anything new?' } }];
/** 1000 tokens that cost a cent. */
const REQUEST: SimulatedRequest = {
  step: 'ask',
  tool: 'llm.chat',
  model: 'm',
  items: 1,
  inputTokens: 400,
  outputTokens: 600,
  price: { input: 10, output: 10 },
  measured: null,
};
const every = (interval: string) => ({ every: interval, timezone: 'UTC' });
const task = (name: string, more: object = {}, changes: Partial<SimulatedTask> = {}): SimulatedTask => ({
  spec: readSimulatedTask({ name, schedule: every('6h'), pipeline: ASK, ...more }, FROM),
  durationMs: 0,
  outputs: {},
  requests: [REQUEST],
  ...changes,
});
const play = async (options: Partial<SimulationOptions> & Pick<SimulationOptions, 'tasks'>, days = 2) => {
  const all = { ...options, from: FROM, to: FROM + days * DAY };
  return simulationDocument(await simulate(all), all, { ...all, tookMs: 0 });
};
const statuses = ({ runs }: Awaited<ReturnType<typeof play>>) =>
  runs.map(({ status, reason }) => reason ?? status);

describe('what a simulation costs', () => {
  it('is estimated from the pipeline, or the median of past runs, for each run, task and day', async () => {
    const measured = { ...REQUEST, measured: { runs: 12, items: 1, inputTokens: 100, outputTokens: 50 } };
    const { costs, runs } = await play({ tasks: [task('new'), task('known', {}, { requests: [measured] })] });
    expect(costs).toMatchObject({
      tokens: 8 * 1000 + 8 * 150,
      usd: 0.092,
      unknown_prices: [],
      budget_hits: [],
    });
    expect(costs.tasks).toEqual([
      {
        task: 'new',
        runs: 8,
        tokens: 8000,
        usd: 0.08,
        basis: 'estimated',
        measured_runs: 0,
        basis_words: 'estimated from the pipeline',
        per_run: { tokens: 1000, usd: 0.01 },
      },
      expect.objectContaining({
        basis: 'measured',
        basis_words: 'median of 12 past runs',
        per_run: { tokens: 150, usd: 0.0015 },
        tokens: 1200,
      }),
    ]);
    expect(costs.days.map(({ day, due, tokens }) => [day, due, tokens])).toEqual([
      ['2026-12-01', 8, 4600],
      ['2026-12-02', 8, 4600],
    ]);
    expect(runs[0]).toMatchObject({ tokens: expect.any(Number), usd: expect.any(Number) });
  });

  it('is in tokens alone where a price is not known; a budget in dollars then lets nothing through', async () => {
    const requests = [{ ...REQUEST, price: null }];
    const budget = { per_day: { usd: 1 } };
    const { costs } = await play({
      tasks: [task('free', {}, { requests }), task('bound', { budget }, { requests })],
    });
    expect(costs).toMatchObject({ tokens: 8000, usd: null, unknown_prices: ['m'] });
    expect(costs.budget_hits).toMatchObject([{ task: 'bound', scope: null, skipped: 8 }]);
    expect(costs.budget_hits[0]?.words).toContain('a price is not known');
  });

  it('multiplies a foreach by its items, and goes by on_error where a step is not paid for', async () => {
    const pipeline = [
      { id: 'list', uses: 'mail.list', with: {} },
      {
        ...ASK[0],
        foreach: { items: 'steps.list.items', max_items: 3 },
        on_error: { fallback: '${steps.x.y}' },
      },
    ];
    const budget = { per_day: { tokens: 5000 } };
    const requests = [{ ...REQUEST, items: 3 }];
    const { costs, ...rest } = await play({ tasks: [task('list', { pipeline, budget }, { requests })] }, 1);
    expect(statuses(rest as never)).toEqual(['succeeded', 'budget', 'budget', 'budget']);
    expect(rest.runs[1]).toMatchObject({ status: 'partial', tokens: 2000 });
    expect(costs.budget_hits).toMatchObject([{ runs: 3, skipped: 0, unit: 'tokens', limit: 5000 }]);
  });
});

describe('budgets in a simulation', () => {
  it('of a task skip what goes above them, and begin anew with its day', async () => {
    const schedule = { ...every('6h'), timezone: 'Europe/Chisinau' };
    const document = await play({ tasks: [task('bound', { schedule, budget: { per_day: { usd: 0.02 } } })] });
    // The grid and the day are those of the zone of the task.
    expect(document.runs.map(({ local, status }) => `${local.slice(8, 16)} ${status}`)).toEqual([
      '01T06:00 succeeded',
      '01T12:00 succeeded',
      '01T18:00 skipped',
      '02T00:00 succeeded',
      '02T06:00 succeeded',
      '02T12:00 skipped',
      '02T18:00 skipped',
      '03T00:00 succeeded',
    ]);
    expect(document.costs.budget_hits).toEqual([
      {
        task: 'bound',
        scope: 'task_day',
        unit: 'usd',
        limit: 0.02,
        runs: 3,
        skipped: 3,
        first_at: '2026-12-01T16:00:00.000Z',
        first_local: 'Tue 1 Dec 2026 18:00',
        words: '3 runs skipped: budget (task, $0.02 a day), first on Tue 1 Dec 2026 18:00',
      },
    ]);
    expect(document.costs.budgets).toMatchObject([
      { scope: 'task_day', name: 'bound', busiest_day: '2026-12-01', words: '$0.02 of $0.02' },
    ]);
  });

  it('pause the task where they say so, and the occurrences that do not come are counted', async () => {
    const budget = { per_day: { tokens: 2500 }, on_exceed: 'pause' };
    const document = await play({ tasks: [task('hungry', { budget })] });
    expect(statuses(document)).toEqual(['succeeded', 'succeeded', 'budget']);
    expect(document.costs.paused).toMatchObject([
      {
        task: 'hungry',
        at: '2026-12-01T12:00:00.000Z',
        occurrences_lost: 5,
        why: expect.stringContaining('budget'),
      },
    ]);
  });

  it('of an agent and of all hold for their tasks together, from what was used of the day before', async () => {
    const agent = {
      ...readSimulatedAgent({ name: 'ana', budget: { per_day: { runs: 5 } } }),
      spentToday: { day: '2026-12-01', spend: { tokens: 0, nanoUsd: 0, calls: 0, runs: 2, unpriced: 0 } },
    };
    const mine = { agent: 'ana' };
    const tasks = [task('a', {}, mine), task('b', {}, mine), task('other')];
    const { costs, runs } = await play({
      tasks,
      agents: [agent],
      budget: { per_day: { tokens: 6000 }, on_exceed: 'skip' },
    });
    const ran = (day: string, of: string[]) =>
      runs.filter(
        ({ task: name, scheduled_for: at, status }) =>
          of.includes(name) && at.startsWith(day) && status === 'succeeded',
      ).length;
    expect(ran('2026-12-01', ['a', 'b'])).toBe(3);
    expect(ran('2026-12-02', ['a', 'b', 'other'])).toBe(6);
    expect(new Set(costs.budget_hits.map(({ scope }) => scope))).toEqual(
      new Set(['agent_day', 'global_day']),
    );
    expect(costs.budgets).toContainEqual(
      expect.objectContaining({ scope: 'agent_day', name: 'ana', words: '5 runs of 5 runs' }),
    );
    expect(costs.budgets).toContainEqual(expect.objectContaining({ scope: 'global_day', name: null }));
  });
});

describe('agents and events in a simulation', () => {
  it("an agent's quiet hours put messages off, a vacation leaves runs out, a task's own hours come first", async () => {
    const agent = readSimulatedAgent({
      name: 'ana',
      quiet_hours: { from: '22:00', to: '09:00', timezone: 'UTC' },
      vacation: { from: '2026-12-02', to: '2026-12-02', timezone: 'UTC' },
    });
    const pipeline = [
      { id: 'wx', uses: 'weather.forecast', with: {} },
      { id: 'ping', uses: 'channel.phone', with: { text: '${steps.wx.sky}' }, if: 'steps.wx.sky' },
    ];
    const at8 = { kind: 'cron', expr: '0 8 * * *', timezone: 'UTC' };
    const mine = { agent: 'ana', requests: [] };
    const { messages, runs } = await play({
      tasks: [
        task('waits', { pipeline, schedule: at8 }, mine),
        task('own', { pipeline, schedule: at8, quiet_hours: 'none' }, mine),
        task('away', { pipeline, schedule: at8, on_vacation: 'skip' }, mine),
      ],
      agents: [agent],
    });
    expect(messages.map(({ task: name, status, sent_at: at }) => [name, status, at])).toEqual(
      expect.arrayContaining([
        ['waits', 'deferred', '2026-12-01T09:00:00.000Z'],
        ['own', 'pending', '2026-12-01T08:00:00.000Z'],
        ['own', 'deferred', '2026-12-03T00:00:00.000Z'],
      ]),
    );
    expect(runs.filter(({ task: name }) => name === 'away').map(({ reason }) => reason)).toEqual([
      null,
      'vacation',
    ]);
  });

  it('events open, fill and close the windows of tasks as in production', async () => {
    const events = readSimulatedEvents(
      [
        { at: '1h', topic: 'mail.received', payload: { from: 'ana' }, every: '1m', times: 5 },
        { at: '47h', topic: 'mail.received', payload: { from: 'ben' } },
        { at: '30h', topic: 'backup.done' },
      ],
      (at) => FROM + Number.parseInt(at, 10) * HOUR,
    );
    const say = [{ id: 'say', uses: 'debug.echo', with: { n: '${event.count?}', from: '${event.topic?}' } }];
    const on = (name: string, schedule: object) =>
      task(name, { schedule: { kind: 'event', ...schedule }, pipeline: say }, { requests: [] });
    const tasks = [
      on('burst', { topic: 'mail.#', debounce: '2h' }),
      on('three', { topic: 'mail.#', batch: { size: 3, window: '1h' } }),
      on('each', { topic: 'mail.#', filter: 'payload.from == `"ben"`' }),
      on('silence', { absent: { topic: 'backup.done', within: '1d' } }),
    ];
    const { runs, open_windows: open, left_out: out } = await play({ tasks, events });
    expect(
      runs.map(({ task: name, scheduled_for: at, status, events: count }) => [
        at.slice(8, 16),
        name,
        status,
        count,
      ]),
    ).toEqual([
      ['01T01:02', 'three', 'succeeded', 3],
      ['01T02:03', 'three', 'succeeded', 2],
      ['01T03:04', 'burst', 'succeeded', 5],
      ['02T00:00', 'silence', 'succeeded', 0],
      ['02T23:00', 'each', 'succeeded', null],
    ]);
    expect(
      open.map(({ task: name, events: count, closes_at: at }) => [name, count, at.slice(8, 16)]),
    ).toEqual([
      ['burst', 1, '03T01:00'],
      ['three', 1, '03T00:00'],
      ['silence', 1, '03T06:00'],
    ]);
    expect(out).toEqual([]);
  });

  it('names what is wrong with an agent or with events', () => {
    expect(() => readSimulatedAgent({ budget: { per_day: { usd: -1 } } })).toThrowError(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/budget/per_day/usd' })] }),
    );
    expect(() => readSimulatedAgent({ budget: { per_day: {}, timezone: 'Mars' } })).toThrowError(
      /agent is not valid/,
    );
    expect(() => readSimulatedEvents([{ at: '1h', topic: 'a b' }], () => 0)).toThrowError(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/0/topic' })] }),
    );
  });
});
