import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExplanationObject } from '../../src/client/api-objects.js';
import type { Task } from '../../src/domain/task.js';
import { ZONE_CHANGE_KEY } from '../../src/domain/zone-change.js';
import { startTaskApi, type TaskApi } from './task-api.js';

let api: TaskApi;

beforeAll(async () => {
  api = await startTaskApi();
});

afterAll(() => api.close());

const INPUT = `name: morning
schedule: { kind: cron, expr: 30 8 * * *, timezone: Europe/Chisinau }
pipeline:
  - { id: look, uses: debug.echo, with: { text: hello } }
  - { id: say, uses: debug.echo, with: { text: "\${steps.look.text}" }, kind: notify }
  - { id: more, uses: test.fail, on_error: continue }
`;

const explain = async (at: number) => {
  const argv = ['morning', '--at', new Date(at).toISOString()];
  const { stdout } = await api.run('task:explain', [...argv, '--json']);
  return {
    document: JSON.parse(stdout) as ExplanationObject,
    text: (await api.run('task:explain', argv)).stdout,
  };
};

test('tells one occurrence moment by moment: due, found late, leased, steps, delivered, ended', async () => {
  const { system } = api;
  await api.run('task:apply', ['-'], { input: INPUT });
  const [task] = (await system.store.listTasks({ search: 'morning', limit: 1 })).items as [Task];
  const due = task.nextDueAt as number;
  system.clock.set(due + 5 * 60_000);
  await system.scheduler.runOnce();
  const [run] = await system.runs(task);
  await system.until(run?.id ?? '', 'partial');
  await system.messages(run?.id ?? '');
  const { document, text } = await explain(due);
  const moments = document.lines.filter(({ run_id: id }) => id === run?.id);
  expect(moments.map(({ kind, text: words }) => `${kind}: ${words.replace(/ in [\d.]+m?s$/, '')}`)).toEqual([
    'due: 08:30  due by its schedule, and caught up',
    'gated: 08:35  found 5m late',
    expect.stringMatching(/^leased: 08:35 {2}leased by /),
    'step: 08:35  step look (debug.echo) succeeded',
    'step: 08:35  step say (debug.echo) succeeded',
    expect.stringMatching(/^step: 08:35 {2}step more \(test.fail\) failed.*The tool said no\./),
    'delivered: 08:35  delivered: message of say (debug.echo)',
    expect.stringMatching(/^ended: 08:35 {2}partial/),
  ]);
  expect(text).toMatch(
    /• .* 08:30: partial \(catchup\), started 5m after its time.*\n {4}08:30 {2}due by its schedule/,
  );
});

test('tells of an occurrence that was left out, of a time that is none, and of one that a zone database moved', async () => {
  const { system } = api;
  const [task] = (await system.store.listTasks({ search: 'morning', limit: 1 })).items as [Task];
  const due = task.nextDueAt as number;
  await api.run('task:skip', ['morning']);
  system.clock.set(due + 1000);
  await system.scheduler.runOnce();
  const { document } = await explain(due);
  expect(document.lines.filter(({ run_id: id }) => id !== undefined).map(({ kind }) => kind)).toEqual([
    'due',
    'skipped',
  ]);
  expect((await explain(due + 60 * 60_000)).text).toContain('The schedule names no occurrence at');
  const { text: early } = await explain(due - 7 * 24 * 60 * 60_000);
  expect(early).toMatch(/lies before the task was created \(.*\)\./);
  const change = {
    from: '2025b',
    to: '2025c',
    at: due,
    moved: 1,
    tasks: [{ id: task.id, name: 'morning', from: due, to: due + 3_600_000 }],
  };
  await system.store.setMeta(ZONE_CHANGE_KEY, JSON.stringify(change));
  expect((await explain(due)).text).toMatch(
    /The time zone database went from 2025b to 2025c: .* 08:30 moved to .* 09:30\./,
  );
});
