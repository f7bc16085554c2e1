import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PaoClient } from '../../src/client/pao-client.js';
import { createDatabase, type TestDatabase } from '../postgres/shared-cluster.js';
import { fleetHome, type FleetMember, fleetToken, startMember } from './a-fleet.js';
import { runPao } from './start-pao.js';

let database: TestDatabase;
const home = fleetHome('lease: 3s\n');
const members: FleetMember[] = [];

beforeAll(async () => {
  database = await createDatabase('fleet');
});
afterAll(async () => {
  for (const { child } of members) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(members.map(({ ended }) => ended));
  await database.drop();
  home.remove();
});

async function start(...[kind, args = []]: [FleetMember['kind'], string[]?]): Promise<FleetMember> {
  const member = await startMember(kind, { home: home.home, database: database.url, args });
  members.push(member);
  return member;
}

describe('services on their own, over one PostgreSQL', () => {
  it('come up together, run tasks, and route by tag', async () => {
    // All at once: one of them migrates.
    const [api, , plain, tagged] = await Promise.all([
      start('api', ['--port', '0']),
      start('scheduler'),
      start('worker'),
      start('worker', ['--tag', 'home']),
    ]);
    const pao = new PaoClient({ url: api?.ready.url as string, token: fleetToken(home.home) });
    const pipeline = [{ id: 'say', uses: 'debug.echo', with: { word: 'hello' } }];
    for (const spec of [
      { name: 'anywhere', pipeline },
      { name: 'at-home', pipeline, runs_on: ['home'] },
      { name: 'nowhere', pipeline, runs_on: ['moon'] },
      { name: 'each-second', pipeline, schedule: { kind: 'cron', expr: '* * * * * *', timezone: 'UTC' } },
    ])
      await pao.applyTask(spec as never);
    const ended = async (name: string) => {
      const run = await pao.runTask((await pao.findTask(name)).id);
      return pao.waitForRun(run.id, { timeoutMs: 30_000 });
    };
    expect(await ended('anywhere')).toMatchObject({ status: 'succeeded' });
    for (let index = 0; index < 5; index++) await ended('at-home');
    const { items } = await pao.listRuns({ taskId: (await pao.findTask('at-home')).id, limit: 10 });
    expect(new Set(items.map(({ worker_id: id }) => id)).size).toBe(1);
    await pao.runTask((await pao.findTask('nowhere')).id);
    await expect
      .poll(
        async () =>
          (await pao.listRuns({ taskId: (await pao.findTask('each-second')).id, status: 'succeeded' })).items
            .length,
        { timeout: 30_000 },
      )
      .toBeGreaterThan(2);
    const waiting = await pao.listRuns({ taskId: (await pao.findTask('nowhere')).id });
    expect(waiting.items[0]).toMatchObject({ status: 'queued', started_at: null });

    // A worker's process is brought back; one that is told to stop drains and says what it did.
    process.kill(plain?.ready.service_pid as number, 'SIGKILL');
    await expect.poll(() => plain?.log(), { timeout: 20_000 }).toContain('was restarted');
    tagged?.child.kill('SIGTERM');
    expect(await tagged?.ended).toEqual({ code: 0, signal: null });
    expect(tagged?.log()).toMatch(/Stopped: \d+ runs finished/);
  });

  it('a second API serves the same system with the same token', async () => {
    const api = await start('api', ['--port', '0']);
    expect(api.ready.credentials_file).toBeNull();
    const pao = new PaoClient({ url: api.ready.url as string, token: fleetToken(home.home) });
    expect((await pao.findTask('anywhere')).name).toBe('anywhere');
  });

  it('refuse SQLite, and a database that does not answer, in words', async () => {
    const sqlite = await runPao(['worker'], { home: home.home });
    expect(sqlite).toMatchObject({ code: 2, stdout: '' });
    expect(sqlite.stderr).toContain('pao worker --database postgres://');
    const away = await runPao(
      ['scheduler', '--database', 'postgres://u:geheim@127.0.0.1:1/x', '--wait', '0s'],
      {
        home: home.home,
      },
    );
    expect(away.code).toBe(3);
    expect(away.stderr).toContain('127.0.0.1:1');
    expect(away.stderr).not.toContain('geheim');
  });
});
