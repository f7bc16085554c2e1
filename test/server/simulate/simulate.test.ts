import { describe, expect, it } from 'vitest';
import type { Run } from '../../../src/domain/run.js';
import { readSimulatedTask } from '../../../src/server/simulate/read-simulated-task.js';
import { simulate } from '../../../src/server/simulate/simulate.js';
import type { SimulatedTask } from '../../../src/server/simulate/simulation.js';

const DAY = 86_400_000;
const MINUTE = 60_000;
const FROM = Date.parse('2027-10-28T00:00:00Z');
const ECHO = [{ id: 'one', uses: 'debug.echo', with: { day: '${run.local_date}' } }];

const task = (name: string, schedule: object, more: object = {}, lasts = 0): SimulatedTask => ({
  spec: readSimulatedTask({ name, schedule, pipeline: ECHO, ...more }, FROM),
  durationMs: lasts,
  outputs: {},
});
const hourly = { kind: 'cron', expr: '0 * * * *', timezone: 'UTC' };
const play = (tasks: SimulatedTask[], days = 1) => simulate({ tasks, from: FROM, to: FROM + days * DAY });
const said = ({ scheduledFor, status, reason }: Run) =>
  `${new Date(scheduledFor).toISOString().slice(11, 16)} ${status}${reason === null ? '' : ` ${reason}`}`;

describe('a simulation', () => {
  it('fires what is due from its first instant to before its end, through a fold', async () => {
    const nightly = { kind: 'cron', expr: '30 2 * * *', timezone: 'Europe/Chisinau' };
    const { runs } = await play(
      [task('nightly', nightly), task('quarters', { every: '15m', timezone: 'UTC' })],
      4,
    );
    const nights = runs.filter(({ taskName }) => taskName === 'nightly');
    expect(nights.map(({ scheduledFor }) => new Date(scheduledFor).toISOString())).toEqual([
      '2027-10-28T23:30:00.000Z',
      '2027-10-29T23:30:00.000Z',
      // 02:30 comes twice on the 31st; it fires the first time.
      '2027-10-30T23:30:00.000Z',
    ]);
    expect(runs.length - nights.length).toBe(4 * 96);
    expect(runs.every(({ status }) => status === 'succeeded')).toBe(true);
    expect(runs[0]?.scheduledFor).toBe(FROM);
  });

  it.each([
    ['skip', ['00:00 succeeded', '01:00 skipped overlap', '02:00 succeeded', '03:00 skipped overlap']],
    ['allow', ['00:00 succeeded', '01:00 succeeded', '02:00 succeeded', '03:00 succeeded']],
    ['queue', ['00:00 succeeded', '01:00 succeeded', '02:00 succeeded', '03:00 skipped overlap']],
    ['cancel_previous', ['00:00 canceled overlap', '01:00 canceled overlap', '02:00 canceled overlap']],
  ])('overlap %s when a run lasts longer than the time to the next', async (overlap, expected) => {
    const { runs } = await play([task('long', { ...hourly, overlap }, {}, 90 * MINUTE)]);
    expect(runs.slice(0, expected.length).map(said)).toEqual(expected);
    if (overlap === 'queue') {
      const [, second] = runs as [Run, Run];
      // Waited for the one before it, which lasted until 01:30.
      expect((second.startedAt as number) - second.scheduledFor).toBe(30 * MINUTE);
      expect((second.finishedAt as number) - (second.startedAt as number)).toBe(90 * MINUTE);
    }
  });

  it('runs pipelines on the answers that were given, with retries and waits on its own clock', async () => {
    const pipeline = [
      { id: 'wx', uses: 'weather.forecast', with: {} },
      { id: 'rest', wait: { for: '2h' } },
      { id: 'cold', uses: 'debug.echo', if: 'steps.wx.celsius < `0`' },
      { id: 'tell', uses: 'chat.send', with: { text: '${steps.wx.sky}' } },
    ];
    const noon = { kind: 'cron', expr: '0 12 * * *', timezone: 'UTC' };
    const open = task('weather', noon, { pipeline });
    const unanswered = await play([open]);
    expect(unanswered.assumed).toEqual([{ name: 'weather', tools: ['weather.forecast', 'chat.send'] }]);
    expect(unanswered.runs.map(said)).toEqual(['12:00 succeeded']);
    const outputs = { 'weather.forecast': { celsius: 4, sky: 'clear' }, tell: { ok: true } };
    const answered = await play([{ ...open, outputs }]);
    expect(answered.assumed).toEqual([]);
    const [run] = answered.runs as [Run];
    expect([run.status, run.finishedAt]).toEqual(['succeeded', Date.parse('2027-10-28T14:00:00Z')]);
    const wrong = await play([{ ...open, outputs: { ...outputs, 'weather.forecast': { celsius: 4 } } }]);
    expect(wrong.runs[0]?.status).toBe('failed');
    expect(wrong.runs[0]?.error?.message).toContain('sky');
  });

  it('shares a concurrency key between tasks', async () => {
    const concurrency = { concurrency: { key: 'one-at-a-time', limit: 1 } };
    const both = [
      task('first', hourly, { ...concurrency, priority: 1 }, 10 * MINUTE),
      task('second', hourly, concurrency, 5 * MINUTE),
    ];
    const { runs } = await play(both);
    const waits = runs
      .filter(({ taskName }) => taskName === 'second')
      .map(({ startedAt, scheduledFor }) => (startedAt as number) - scheduledFor);
    expect(new Set(waits)).toEqual(new Set([10 * MINUTE]));
  });

  it('leaves out what is not in the calendar, and says why', async () => {
    const condition = {
      kind: 'condition',
      every: '6h',
      check: { uses: 'disk.free' },
      when: 'result.gb < `5`',
    };
    const { leftOut, runs } = await play([
      task('on-event', { kind: 'event', topic: 'mail.received' }),
      task('watching', condition),
      { spec: readSimulatedTask({ name: 'by-hand', pipeline: ECHO }, FROM), durationMs: 0, outputs: {} },
    ]);
    expect(runs).toEqual([]);
    expect(leftOut.map(({ name, why }) => `${name}: ${why}`)).toEqual([
      'on-event: it runs on events (mail.received)',
      'watching: what it observes is not known: disk.free',
      'by-hand: it runs only when asked to',
    ]);
    // Only what triggers counts as a run.
    const budget = { per_day: { runs: 1 } };
    const watching = task('watching', condition, { budget });
    const seen = await play([{ ...watching, outputs: { 'disk.free': { gb: 3 } } }]);
    expect(seen.runs.map(said)).toEqual([
      '00:00 succeeded',
      '06:00 skipped condition',
      '12:00 skipped condition',
      '18:00 skipped condition',
    ]);
  });

  it('gives the same each time', async () => {
    const tasks = [
      task('a', { every: '7m', timezone: 'UTC' }, {}, 11 * MINUTE),
      task('b', hourly, {}, 70 * MINUTE),
    ];
    const [first, second] = [await play(tasks), await play(tasks)];
    expect(first.runs.map(said)).toEqual(second.runs.map(said));
  });

  it('names what is wrong with a task', () => {
    expect(() => task('bad', { kind: 'cron', expr: '99 * * * *', timezone: 'UTC' })).toThrowError(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/schedule/expr' })] }),
    );
    expect(() => task('bad', { ...hourly, timezone: 'Mars/Base' })).toThrowError(
      expect.objectContaining({ problems: [expect.objectContaining({ pointer: '/schedule/timezone' })] }),
    );
  });
});
