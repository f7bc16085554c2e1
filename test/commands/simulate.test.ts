import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ICAL from 'ical.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SimulationDocument } from '../../src/cli/render/simulation.js';
import { runCommand } from './run-command.js';
import { startTaskApi, type TaskApi } from './task-api.js';

let api: TaskApi;

beforeAll(async () => {
  api = await startTaskApi();
  writeFileSync(join(api.folder, 'tasks.yaml'), FILE);
});

afterAll(() => api.close());

const FILE = `name: nightly
schedule: { kind: cron, expr: 30 2 * * *, timezone: Europe/Chisinau }
pipeline: [{ id: wx, uses: weather.forecast, with: {} }]
---
name: report
schedule: { kind: cron, expr: 0 * * * *, timezone: UTC, overlap: queue }
pipeline: [{ id: one, uses: debug.echo }]
---
name: mail
schedule: { kind: event, topic: mail.received }
pipeline: [{ id: one, uses: debug.echo }]
`;
const WEEKEND = ['--from', '2027-10-30T00:00:00Z', '--to', '2d', '-f', 'tasks.yaml'];
const simulated = async (...argv: string[]) => {
  const end = await api.run('simulate', [...argv, '--json']);
  expect(end).toMatchObject({ error: null, exitCode: 0 });
  return JSON.parse(end.stdout) as SimulationDocument;
};

describe('simulate', () => {
  test('reads a date on the clock that PAO_TIMEZONE names, and says so', async () => {
    const day = ['--from', '2027-10-30', '--to', '2027-10-31', '-f', 'tasks.yaml'];
    const { exitCode, stdout, stderr } = await api.run('simulate', [...day, '--json'], {
      env: { PAO_TIMEZONE: 'America/New_York' },
    });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      from: '2027-10-30T04:00:00.000Z',
      to: '2027-10-31T04:00:00.000Z',
    });
    expect(stderr).toContain('--from and --to are on the clock of America/New_York.');
  });

  test('says when messages would be sent, and which wait for the end of quiet hours', async () => {
    writeFileSync(
      join(api.folder, 'quiet.yaml'),
      `name: early
schedule: { kind: cron, expr: "0 8,12 * * *", timezone: Europe/Chisinau }
quiet_hours: { from: "22:00", to: "09:00", timezone: Europe/Chisinau }
pipeline: [{ id: ping, uses: channel.phone, with: { text: "\${run.local_date}" } }]
`,
    );
    const argv = ['--from', '2026-11-24T00:00:00Z', '--to', '1d', '-f', 'quiet.yaml'];
    const { messages } = await simulated(...argv);
    expect(messages).toMatchObject([
      { task: 'early', step: 'ping', channel: 'channel.phone', status: 'deferred', reason: 'quiet_hours' },
      { status: 'pending', sent_at: '2026-11-24T10:00:00.000Z' },
    ]);
    expect(messages[0]).toMatchObject({
      written_at: '2026-11-24T06:00:00.000Z',
      sent_at: '2026-11-24T07:00:00.000Z',
      sent_local: '2026-11-24T09:00:00+02:00',
    });
    const shown = await api.run('simulate', argv);
    expect(shown.stdout).toMatch(
      /early, ping +channel.phone +Tue .*08:00 \+02:00 +Tue .*09:00 \+02:00 \(quiet_hours\)/,
    );
    expect(shown.stdout).not.toContain('Budgets of tokens');
    // What goes out together is one row, for each day.
    const often = readFileSync(join(api.folder, 'quiet.yaml'), 'utf8').replace('0 8,12', '*/10 8');
    writeFileSync(
      join(api.folder, 'often.yaml'),
      often.replace('pipeline', 'budget: { per_day: { tokens: 9 } }\npipeline'),
    );
    const more = ['--from', '2026-11-24T00:00:00Z', '--to', '2d', '-f', 'often.yaml'];
    const events = ['--event', 'mail.received@1h'];
    const grouped = await api.run('simulate', [...more, ...events, '--limit', '1']);
    expect(grouped.stdout).toMatch(/6 messages, Tue .*08:00 \+02:00 … Tue .*08:50 \+02:00 +Tue .*09:00/);
    expect(grouped.stdout).toContain('1 more row of messages: --limit 2');
    expect(grouped.stdout).toContain('11 more: --limit 12');
    expect(grouped.stderr).toContain('No task listens to mail.received.');
    expect((await simulated(...more, ...events)).unheard_events).toEqual(['mail.received']);
  });

  test('says that budgets are not played where nobody knows which tools ask models', async () => {
    const asking = `name: asks
schedule: { kind: cron, expr: "30 0 * * *", timezone: Europe/Chisinau }
budget: { per_day: { tokens: 130 } }
pipeline: [{ id: ask, uses: llm.chat, with: { prompt: hello, max_output_tokens: 100 } }]
`;
    writeFileSync(join(api.folder, 'asks.yaml'), asking);
    writeFileSync(
      join(api.folder, 'cat.yaml'),
      'tools: [{ address: llm.chat, title: Chat, kind: llm, input_schema: {}, llm: { provider: openai, base_url: "http://127.0.0.1:9/v1", model: m } }]\n',
    );
    const argv = ['--from', '2027-02-01T00:00:00Z', '--to', '2d', '-f', 'asks.yaml'];
    const blind = await api.run('simulate', argv);
    expect(blind.stdout).toMatch(/not played for asks: whether llm.chat asks a model.*--tools FILE/);
    expect((await simulated(...argv)).budgets_not_played).toMatchObject({
      tasks: ['asks'],
      tools: ['llm.chat'],
    });
    const seeing = await simulated(...argv, '--tools', 'cat.yaml');
    expect(seeing).toMatchObject({
      budgets_not_played: null,
      runs: [{ reason: 'budget' }, { reason: 'budget' }],
    });
    // Half past midnight in Chisinau is the day before in UTC.
    expect(seeing.costs).toMatchObject({
      timezone: 'Europe/Chisinau',
      days: [{ day: '2027-02-02' }, { day: '2027-02-03' }],
    });
  });

  test('plays files through without a server: fires, overlaps, the change of the clock, what is left out', async () => {
    const argv = [...WEEKEND, '--duration', 'report=90m', '--json'];
    const end = await runCommand('simulate', argv, { cwd: api.folder });
    const document = JSON.parse(end.stdout) as SimulationDocument;
    expect(document).toMatchObject({
      from: '2027-10-30T00:00:00.000Z',
      to: '2027-11-01T00:00:00.000Z',
      clock_changes: [
        { timezone: 'Europe/Chisinau', at: '2027-10-31T00:00:00.000Z', before: '+03:00', after: '+02:00' },
      ],
      effects: [{ task: 'nightly', code: 'fold_ahead', at: '2027-10-30T23:30:00Z' }],
      assumed: [{ name: 'nightly', tools: ['weather.forecast'] }],
      left_out: [{ name: 'mail', why: 'it runs on events (mail.received)' }],
      truncated: false,
    });
    const [nightly, report] = document.tasks;
    expect(nightly).toMatchObject({ name: 'nightly', due: 1, ran: 1 });
    expect(report).toMatchObject({ name: 'report', due: 48, assumed_duration_ms: 5_400_000 });
    expect(report?.skipped).toBeGreaterThan(10);
    expect(report?.waited).toBeGreaterThan(10);
    const shown = await api.run('simulate', [...WEEKEND, '--duration', 'report=90m', '--limit', '5']);
    expect(shown.stdout).toMatch(/Sat 30 Oct 2027 01:00 \+00:00 +report +runs for 1h 30m after waiting 30m/);
    expect(shown.stdout).toContain('skipped (overlap)');
    expect(shown.stdout).toContain('The clock changes in Europe/Chisinau from +03:00 to +02:00');
    expect(shown.stdout).toContain('it fires the first time');
    expect(shown.stdout).toContain('44 more: --limit 49');
  });

  test('takes durations and answers from the history of the running system', async () => {
    const input = `name: told
schedule: { kind: cron, expr: 0 12 * * *, timezone: UTC }
pipeline:
  - { id: ask, uses: test.hold, with: { sky: clear } }
  - { id: say, uses: debug.echo, with: { text: "\${steps.ask.sky}" } }
`;
    expect(await api.run('task:apply', ['-'], { input })).toMatchObject({ exitCode: 0 });
    const before = await simulated('--to', '2d');
    expect(before).toMatchObject({ assumed: [{ name: 'told', tools: ['test.hold'] }] });
    api.release();
    expect(await api.run('task:run', ['told', '--wait'])).toMatchObject({ exitCode: 0 });
    const after = await simulated('--to', '2d');
    expect(after).toMatchObject({ assumed: [], runs: [{ status: 'succeeded' }, { status: 'succeeded' }] });
  });

  test('takes what models cost from past runs, and budget and quiet hours from the agent', async () => {
    const { system } = api;
    await system.addTool({
      address: 'llm.chat',
      title: 'Chat',
      kind: 'llm',
      input_schema: {},
      llm: { provider: 'openai', base_url: 'http://127.0.0.1:9/v1', model: 'm' },
    });
    writeFileSync(join(api.folder, 'prices.yaml'), 'models: { m: { input: 10, output: 10 } }\n');
    const input = `name: asks
schedule: { kind: cron, expr: 0 12 * * *, timezone: UTC }
pipeline: [{ id: ask, uses: llm.chat, with: { prompt: hello, max_output_tokens: 500 } }]
`;
    expect(await api.run('task:apply', ['-'], { input })).toMatchObject({ exitCode: 0 });
    const costOf = async (...argv: string[]) => {
      const { costs, agents } = await simulated('--to', '2d', ...argv);
      return { cost: costs.tasks.find(({ task }) => task === 'asks'), costs, agents };
    };
    expect((await costOf()).cost).toMatchObject({ basis: 'estimated', runs: 2, per_run: { tokens: 534 } });
    for (const [at, tokens] of [90, 40, 60].entries()) {
      const end = await api.run('task:run', ['asks', '--wait', '--json']);
      const { id } = JSON.parse(end.stdout) as { id: string };
      const amount = { tokens: 500, nanoUsd: 0, calls: 1, runs: 0, unpriced: 0 };
      const now = Date.now();
      const entry = {
        id: `bud_${at}`,
        runId: id,
        taskId: null,
        agentId: null,
        stepId: 'ask',
        tool: 'llm.chat',
      };
      await system.store.reserveBudget({ ...entry, model: 'm', at: now, amount }, [
        { key: `run:${id}`, limits: {} },
      ]);
      const used = { inputTokens: tokens - 10, outputTokens: 10, estimated: false, now };
      await system.store.settleBudget({ id: entry.id, spent: { ...amount, tokens }, ...used });
    }
    expect(await api.run('agent:budget', ['admin', '--per-day', 'runs=1'])).toMatchObject({ exitCode: 0 });
    const quiet = ['admin', '--from', '11:00', '--to', '13:00', '--timezone', 'UTC'];
    expect(await api.run('agent:quiet', quiet)).toMatchObject({ exitCode: 0 });
    const { cost, costs, agents } = await costOf('--from', '2027-02-01T00:00:00Z');
    expect(cost).toMatchObject({
      basis_words: 'median of 3 past runs',
      per_run: { tokens: 60, usd: 0.0006 },
    });
    expect(agents).toMatchObject([
      { name: 'admin', budget: { per_day: { runs: 1 } }, quiet_hours: [{ from: '11:00' }] },
    ]);
    expect(costs.budget_hits.map(({ scope, words }) => `${scope} ${words}`)).toContainEqual(
      expect.stringMatching(
        /^agent_day \d runs? skipped: budget \(agent, 1 run a day\), first on Mon 1 Feb 2027/,
      ),
    );
    const shown = await api.run('simulate', ['--to', '2d', '--from', '2027-02-01T00:00:00Z']);
    expect(shown.stdout).toMatch(/asks +\d .* median of 3 past runs/);
    expect(shown.stdout).toMatch(/agent admin +2027-02-0\d +1 run of 1 run/);
  });

  test('tells tasks of the same name apart by their agents', async () => {
    const input = `name: twin
schedule: { kind: cron, expr: 0 12 * * *, timezone: UTC }
pipeline: [{ id: say, uses: debug.echo }]
`;
    const created = await api.run('agent:create', ['simulation', '--scope', 'admin', '--json']);
    const { token } = JSON.parse(created.stdout) as { token: string | { secret: string } };
    const env = { PAO_TOKEN: typeof token === 'string' ? token : token.secret };
    for (const more of [{}, { env }])
      expect(await api.run('task:apply', ['-'], { input, ...more })).toMatchObject({ exitCode: 0 });
    const { tasks } = await simulated('--from', '2027-03-01T00:00:00Z', '--to', '2d');
    expect(
      tasks
        .filter(({ name }) => name.includes('twin'))
        .map(({ name, due }) => [name, due])
        .sort(),
    ).toEqual([
      ['admin/twin', 2],
      ['simulation/twin', 2],
    ]);
  });

  test('offline, takes tools, prices, the agent and events from files', async () => {
    writeFileSync(
      join(api.folder, 'asking.yaml'),
      `name: asks
schedule: { every: 6h, timezone: UTC }
pipeline: [{ id: ask, uses: llm.chat, with: { prompt: hello, max_output_tokens: 500 } }]
---
${FILE.split('---')[2]?.trim() ?? ''}
`,
    );
    writeFileSync(
      join(api.folder, 'catalog.yaml'),
      'tools: [{ address: llm.chat, title: Chat, kind: llm, input_schema: {}, llm: { provider: openai, base_url: "http://127.0.0.1:9/v1", model: m } }]\n',
    );
    writeFileSync(join(api.folder, 'agent.yaml'), 'name: ana\nbudget: { per_day: { tokens: 1100 } }\n');
    const files = ['-f', 'asking.yaml', '--tools', 'catalog.yaml', '--agent', 'agent.yaml'];
    const argv = ['--from', '2027-02-01T00:00:00Z', '--to', '1d', ...files];
    const plain = await runCommand('simulate', [...argv, '--event', 'mail.received@2h'], { cwd: api.folder });
    expect(plain.stdout).toMatch(/asks +2 +1,068 +\? +534 +estimated from the pipeline/);
    expect(plain.stdout).toContain(
      'asks: 2 runs skipped: budget (agent, 1,100 tokens a day), first on Mon 1 Feb 2027 12:00.',
    );
    expect(plain.stderr).toContain('the price of m is not known');
    expect(plain.stdout).toMatch(/02:00 \+00:00 +mail +runs/);
    const priced = await simulated(...argv, '--prices', 'prices.yaml');
    expect(priced.costs).toMatchObject({ tokens: 1068, usd: 0.01068, unknown_prices: [] });
    for (const [wrong, message] of [
      [['--event', 'mail.received'], 'has no time'],
      [['--events', 'agent.yaml'], 'events are not valid'],
      [['--mock', 'tasks.yaml'], 'not one list of answers'],
    ] as const)
      expect((await api.run('simulate', [...argv, ...wrong])).error?.message).toContain(message);
  });

  test('takes answers from a file, and the templates of the pipeline are run on them', async () => {
    const input = FILE.split('---')[0]?.replace(
      'with: {} }]',
      'with: {} }, { id: say, uses: debug.echo, with: { t: "${steps.wx.sky}" } }]',
    );
    writeFileSync(join(api.folder, 'mock.yaml'), 'weather.forecast: { cloud: 3 }\n');
    const argv = ['--from', '2027-10-01', '--to', '30h', '-f', '-', '--mock', 'mock.yaml', '--json'];
    const { stdout } = await api.run('simulate', argv, { input: input as string });
    const { runs } = JSON.parse(stdout) as SimulationDocument;
    expect(runs[0]).toMatchObject({ status: 'failed', error: expect.stringContaining('sky') });
  });

  test('writes what fires as a calendar', async () => {
    const { stdout } = await api.run('simulate', [...WEEKEND, '--ics']);
    const events = new ICAL.Component(ICAL.parse(stdout)).getAllSubcomponents('vevent');
    expect(events).toHaveLength(49);
  });

  test.each([
    [['--to', '0s'], 'The time must end after it begins'],
    [['--to', '500d'], 'within a year'],
    [['--from', 'tomorrow'], 'is no time'],
    [['--duration', 'long'], 'is no duration'],
    [['--mock', 'tasks.yaml'], 'not one list of answers'],
  ])('refuses %j', async (argv, message) => {
    const end = await api.run('simulate', ['-f', 'tasks.yaml', ...argv]);
    expect(end.exitCode).toBe(2);
    expect(end.error?.message).toContain(message);
  });

  test('names file, line and column of what is wrong', async () => {
    writeFileSync(join(api.folder, 'bad.yaml'), FILE.replace('30 2 * * *', '30 25 * * *'));
    const { error, exitCode } = await api.run('simulate', ['-f', 'bad.yaml']);
    expect(exitCode).toBe(2);
    expect(error?.problems[0]?.message).toMatch(/^bad\.yaml:2:\d+ \/schedule\/expr /);
  });
});
