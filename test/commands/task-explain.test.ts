import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ExplanationObject, TaskObject } from '../../src/client/api-objects.js';
import { newId } from '../../src/domain/ids.js';
import { formatInZone } from '../../src/domain/recurrence/index.js';
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

const EVENTS = `name: burst
schedule: { kind: event, topic: file.saved, debounce: { quiet: 30s, max_wait: 10m }, key: payload.file, filter: payload.file }
pipeline: [{ id: look, uses: debug.echo }]
---
name: three
schedule: { kind: event, topic: file.saved, batch: { size: 3, window: 1h } }
pipeline: [{ id: look, uses: debug.echo }]
---
name: heart
schedule: { kind: event, absent: { topic: beat, within: 1h } }
pipeline: [{ id: look, uses: debug.echo }]
`;

test('tells which windows of events are open, and what became of an event and of a window', async () => {
  const { system } = api;
  // A round second: the words have none then.
  const start = Math.ceil(system.clock.now() / 3_600_000) * 3_600_000;
  system.clock.set(start);
  await api.run('task:apply', ['-'], { input: EVENTS });
  await system.scheduler.runOnce();
  const publish = async (payload: unknown, topic = 'file.saved') => {
    const at = system.clock.now();
    const given = { id: newId('evt', at), topic, payload, dedupeKey: null, agentId: 'agt_x', createdAt: at };
    return (await system.store.publishEvent(given)).event.id;
  };
  const time = (at: number) => formatInZone('UTC', at);
  const open = await publish({ file: 'a.txt' });
  await publish({ other: 1 });
  await system.scheduler.runOnce();
  const shown = JSON.parse((await api.run('task:show', ['burst', '--json'])).stdout) as TaskObject;
  expect(shown.open_windows).toEqual({
    total: 1,
    items: [
      {
        key: 'a.txt',
        kind: 'debounce',
        events: 1,
        opened_at: new Date(start).toISOString(),
        closes_at: new Date(start + 30_000).toISOString(),
        words: `for a.txt: 1 event since ${time(start)}; it runs at ${time(start + 30_000)} unless another comes before, and at ${time(start + 600_000)} at the latest`,
      },
    ],
  });
  const said = async (...argv: string[]) => (await api.run('task:explain', argv)).stdout;
  const at = new Date(start).toISOString();
  expect((await api.run('task:show', ['three'])).stdout).toContain(
    `2 events since ${time(start)}; it runs at ${time(start + 3_600_000)}, or when there are 3`,
  );
  expect(await said('burst')).toContain('Open: for a.txt: 1 event since');
  const asked = await said('burst', '--at', at);
  expect(asked).toContain(`(${open}): it waits in a window: for a.txt: 1 event`);
  expect(asked).toContain('the filter of the task does not let it through');
  expect(await said('heart')).toContain(
    `Open: no beat since ${time(start)}; it runs at ${time(start + 3_600_000)} unless`,
  );

  system.clock.set(start + 60_000);
  await publish(null, 'beat');
  await publish({ file: 'b.txt' });
  await system.scheduler.runOnce();
  const [fired] = await system.runs((await system.store.findTasksByName('burst'))[0] as Task);
  const after = await said('burst', '--at', at);
  expect(after).toContain(
    `(${open}): taken into a window that closed at ${time(start + 30_000)} with 1 event: run ${fired?.id}`,
  );
  expect(after).toContain(
    `A window with 1 event was open from ${time(start)} to ${time(start + 30_000)}: run`,
  );
  expect(await said('three', '--at', at)).toMatch(/A window with 3 events was open from .*: run run_/);
  expect(await said('heart', '--at', new Date(start + 60_000).toISOString())).toContain(
    'it is what is waited for: nothing ran for it, and the time began anew',
  );
  system.clock.set(start + 60_000 + 3_600_000);
  await system.scheduler.runOnce();
  expect(await said('heart', '--at', new Date(start + 1_800_000).toISOString())).toContain(
    `beat did not come from ${time(start + 60_000)} to ${time(start + 3_660_000)}: run`,
  );
  await api.run('task:pause', ['heart']);
  expect(await said('heart')).toMatch(/Open: 1 event since .*; left out at .*, as the task is paused/);
});
