import { afterEach, describe, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../start-pao.js';
import {
  applyTask,
  briefingTask,
  finishedRun,
  type Json,
  type RunView,
  runsOf,
  startWorld,
  step,
  type World,
} from './briefing-world.js';

const HOUR = 3_600_000;
let world: World;
let pao: Pao;

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
    await world.close();
  }
});

/** A system at an instant, with the briefing under a catch-up policy. */
async function at(clock: string, catchup?: Json): Promise<{ id: string }> {
  world = await startWorld();
  pao = await startPao({ home: world.makeHome(), clock });
  world.writeSecrets(pao.home);
  await pao.json(['tool', 'import', 'tools.yaml'], { cwd: world.directory });
  const task = briefingTask(world);
  if (catchup) (task.schedule as Json).catchup = catchup;
  return applyTask(pao, task);
}

/** Waits until the task has this many runs and all of them have ended; oldest occurrence first. */
async function ended(taskId: string, count: number): Promise<RunView[]> {
  const runs = await until(`${count} runs`, async () => {
    const found = await runsOf(pao, taskId);
    return found.length >= count ? found : null;
  });
  const full = await Promise.all(runs.map((run) => finishedRun(pao, run.id)));
  return full.sort((a, b) => Date.parse(a.scheduled_for) - Date.parse(b.scheduled_for));
}
const view = (run: RunView) => [
  new Date(run.scheduled_for).toISOString(),
  run.status,
  run.reason,
  run.trigger,
];

describe('F8: the schedule and a person at the same second', () => {
  it('makes one run for the occurrence, one for the person, and one message', async () => {
    const { id } = await at('2026-11-24T06:29:00Z');
    const task = briefingTask(world);
    // Both may run at once here; that the message is sent once is the business of its key.
    (task.schedule as Json).overlap = 'allow';
    delete task.concurrency;
    await applyTask(pao, task);
    await pao.advance(60_000);
    await pao.api('POST', `/v1/tasks/${id}/run`, {});
    const runs = await ended(id, 2);
    expect(runs.map((run) => run.trigger).sort()).toEqual(['manual', 'schedule']);
    expect(runs.map((run) => run.status)).toEqual(['succeeded', 'succeeded']);
    expect(world.telegram.messages).toHaveLength(1);
    expect(runs.map((run) => step(run, 'ping').status).sort()).toEqual(['skipped', 'succeeded']);
  });
});

describe('F15: the machine sleeps from 05:00 to 11:00', () => {
  it('leaves a missed row when the window of 3 h is over, and tells of it', async () => {
    const { id } = await at('2026-11-24T05:00:00Z', { policy: 'latest', window: '3h' });
    await pao.advance(6 * HOUR);
    expect((await ended(id, 1)).map(view)).toEqual([
      ['2026-11-24T06:30:00.000Z', 'missed', 'catchup_window', 'schedule'],
    ]);
    expect(world.telegram.messages).toEqual([]);
    const told = await until('the notice', () => world.notices[0] ?? null);
    expect(told).toMatchObject({
      kind: 'runs_missed',
      task: 'morning-briefing',
      hint: 'pao task run morning-briefing',
    });
    expect(told.text).toContain('Tue 24 Nov 2026 08:30 Europe/Chisinau');
  });

  it('catches up within 6 h, and still speaks of the 24th', async () => {
    const { id } = await at('2026-11-24T05:00:00Z', { policy: 'latest', window: '6h' });
    await pao.advance(6 * HOUR);
    const runs = await ended(id, 1);
    expect(runs.map(view)).toEqual([['2026-11-24T06:30:00.000Z', 'succeeded', null, 'catchup']]);
    expect(world.calendarCalls()).toEqual([
      { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00', max: 50 },
    ]);
    expect(world.telegram.messages).toHaveLength(1);
  });
});

describe('F16: the machine sleeps from Monday to Wednesday', () => {
  it('runs the latest and records the others as missed', async () => {
    const { id } = await at('2026-11-23T05:00:00Z', { policy: 'latest', window: '72h' });
    await pao.advance(2 * 24 * HOUR + 2 * HOUR);
    expect((await ended(id, 3)).map(view)).toEqual([
      ['2026-11-23T06:30:00.000Z', 'missed', 'catchup_latest', 'schedule'],
      ['2026-11-24T06:30:00.000Z', 'missed', 'catchup_latest', 'schedule'],
      ['2026-11-25T06:30:00.000Z', 'succeeded', null, 'catchup'],
    ]);
    expect(world.telegram.messages).toHaveLength(1);
  });

  it('runs the two newest when asked for at most two', async () => {
    const { id } = await at('2026-11-23T05:00:00Z', { policy: 'all', max: 2, window: '72h' });
    await pao.advance(2 * 24 * HOUR + 2 * HOUR);
    expect((await ended(id, 3)).map(view)).toEqual([
      ['2026-11-23T06:30:00.000Z', 'missed', 'catchup_max', 'schedule'],
      ['2026-11-24T06:30:00.000Z', 'succeeded', null, 'catchup'],
      ['2026-11-25T06:30:00.000Z', 'succeeded', null, 'catchup'],
    ]);
    expect(world.telegram.messages).toHaveLength(2);
  });
});

describe('F19: a task that is broken in the database', () => {
  it('stops that task alone, shows why, and tells of it; the briefing still fires', async () => {
    const { id } = await at('2026-11-24T06:29:00Z');
    const make = (name: string) =>
      applyTask(pao, {
        name,
        schedule: { kind: 'cron', expr: '*/5 * * * *', timezone: 'UTC' },
        pipeline: [{ id: 'echo', uses: 'debug.echo', with: { message: 'hi' } }],
      });
    const damages = [
      { name: 'no-schedule', from: '*/5 * * * *', to: '*/0 * * * *', why: 'step that is not from 1 to 60' },
      { name: 'no-definition', from: '"name"', to: 'name', why: 'JSON' },
      { name: 'no-zone', from: '"UTC"', to: '"Mars/Olympus"', why: 'Mars/Olympus' },
    ];
    const { default: Database } = await import('better-sqlite3');
    for (const { name, from, to } of damages) {
      await make(name);
      const database = new Database(`${pao.home}/orchestrator.db`);
      const { changes } = database
        .prepare(
          'update task_version set spec = replace(spec, ?, ?) where task_seq = (select seq from task where name = ?)',
        )
        .run(from, to, name);
      database.close();
      expect(changes).toBe(1);
    }
    await pao.advance(60_000);
    const [run] = await ended(id, 1);
    expect(run).toMatchObject({ status: 'succeeded', trigger: 'schedule' });
    const shown = await pao.cli(['task', 'show', 'no-zone']);
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('Mars/Olympus')]);
    for (const { name, why } of damages) {
      const task = await until(`${name} to be stopped`, async () => {
        const { status, body } = await pao.api<Json>('GET', `/v1/tasks/by-name/${name}`);
        expect(status).toBe(200);
        return body.state === 'active' ? null : body;
      });
      expect(task).toMatchObject({ state: 'paused', next_due_at: null });
      expect(task.state_reason).toMatch(/^error: /);
      expect(task.state_reason).toContain(why);
      const told = await until('the notice', () => world.notices.find((one) => one.task === name) ?? null);
      expect(told).toMatchObject({ kind: 'task_paused', reason: 'error', hint: `pao task resume ${name}` });
      expect(told.text).toContain(why);
      const explained = await pao.api<Json>('GET', `/v1/tasks/${name}/explain`);
      expect([explained.status, JSON.stringify(explained.body)]).toEqual([200, expect.stringContaining(why)]);
      const audit = await pao.api<{ items: Json[] }>('GET', `/v1/audit?object=${task.id}&action=task.paused`);
      expect(audit.body.items).toMatchObject([{ actor: 'system', details: { reason: task.state_reason } }]);
      expect((await pao.api('POST', `/v1/tasks/${name}/resume`, {})).status).toBe(409);
      await make(name);
      expect((await pao.api<Json>('POST', `/v1/tasks/${name}/resume`, {})).body).toMatchObject({
        state: 'active',
      });
    }
    const metrics = await (
      await fetch(`${pao.url}/metrics`, { headers: { authorization: `Bearer ${pao.token}` } })
    ).text();
    expect(metrics).toMatch(/^orchestrator_tasks_auto_paused_total(\{[^}]*\})? 3$/m);
  });
});
