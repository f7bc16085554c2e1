import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { openStore } from '../../src/server/store/open.js';
import { type Pao, startPao } from './start-pao.js';

let pao: Pao | null = null;

afterEach(async () => {
  await pao?.stop();
  pao?.cleanUp();
  pao = null;
});

const hourly = (name: string, catchup: object) => ({
  name,
  schedule: { kind: 'cron', expr: '0 * * * *', timezone: 'UTC', catchup },
  pipeline: [{ id: 'one', uses: 'debug.echo' }],
});

/** What a start writes, once it has written this. */
async function output(started: Pao, awaited: string): Promise<string> {
  await expect.poll(() => started.output(), { timeout: 20_000 }).toContain(awaited);
  return started.output();
}

test('a start says what came due while nothing ran, what became of it, and which due times a zone database moved', async () => {
  pao = await startPao({ clock: '2026-11-24T06:30:00Z' });
  const { home } = pao;
  for (const task of [hourly('latest', { policy: 'latest' }), hourly('none', { policy: 'skip' })])
    expect((await pao.api('POST', '/v1/tasks', task)).status).toBe(201);
  await pao.stop();
  expect(pao.output()).not.toContain('othing ran since');

  pao = await startPao({ home, clock: '2026-11-24T09:10:00Z' });
  const told = await output(pao, '--status missed,skipped');
  expect(told).toMatch(
    /While nothing ran since 2026-11-24T06:3\d:[\d.:]+Z, 6 occurrences of 2 tasks came due: 1 runs now, 5 missed\./,
  );
  expect(told).toContain('2 catchup_latest: several had come due while nothing ran');
  expect(told).toContain('3 catchup_skip: it came due while nothing ran');
  const command = /pao (run list --status missed,skipped --since \S+)/.exec(told)?.[1];
  const { items } = await pao.json<{ items: object[] }>((command as string).split(' '));
  expect(items).toHaveLength(5);
  await pao.stop();

  const store = await openStore({ url: `sqlite:${join(home, 'orchestrator.db')}` });
  const [task] = (await store.listTasks({ search: 'latest', limit: 1 })).items;
  await store.setMeta('zone_database', '2001a');
  await store.setNextDue(task?.id as string, 1, Date.parse('2026-11-24T10:30:00Z'));
  await store.close();
  pao = await startPao({ home, clock: '2026-11-24T09:20:00Z' });
  const zones = await output(pao, 'pao task explain latest');
  expect(zones).toContain('nothing came due meanwhile');
  expect(zones).toMatch(
    new RegExp(`time zone database went from 2001a to ${process.versions.tz}; due times moved: latest\\.`),
  );
  const { stdout } = await pao.cli(['task', 'explain', 'latest']);
  expect(stdout).toMatch(/10:30 moved to .* 10:00\./);
  const audit = await pao.api<{ items: { action: string }[] }>('GET', '/v1/audit?limit=50');
  expect(audit.body.items.map(({ action }) => action)).toContain('zone_database.changed');
});
