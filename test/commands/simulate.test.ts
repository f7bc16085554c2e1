import { writeFileSync } from 'node:fs';
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
    expect((await api.run('simulate', argv)).stdout).toMatch(
      /early, ping +channel.phone +Tue .*09:00.*quiet_hours/,
    );
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
    expect(shown.stderr).toContain('44 more: --limit 49');
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
