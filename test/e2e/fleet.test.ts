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
    const [api, scheduler, plain, tagged] = await Promise.all([
      start('api', ['--port', '0']),
      start('scheduler', ['--metrics-port', '0', '--metrics-host', '0.0.0.0']),
      start('worker', ['--metrics-port', '0']),
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
    const status = await runPao(['status', '--services', '--url', api?.ready.url as string], {
      home: home.home,
      env: { PAO_TOKEN: fleetToken(home.home) },
    });
    expect(status.stdout).toMatch(new RegExp(`\\napi +\\S+ +${api?.ready.service_pid} `));
    expect(status.stdout).toMatch(
      new RegExp(`\\nworker\\b.* ${tagged?.ready.service_pid} +\\d+ of 16 +home `),
    );
    expect(status.stdout).toMatch(/\nscheduler /);
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

    // Each tells of itself; the API tells of the system.
    expect(tagged?.ready.url).toBeNull();
    const ask = (member: FleetMember | undefined, path: string, headers: Record<string, string> = {}) =>
      fetch(`${member?.ready.url}${path}`, { headers });
    const bearer = { authorization: `Bearer ${fleetToken(home.home)}` };
    const value = async (member: FleetMember | undefined, series: string) => {
      const text = await (await ask(member, '/metrics', bearer)).text();
      return Number(
        text
          .split('\n')
          .find((line) => line.startsWith(`${series} `))
          ?.slice(series.length),
      );
    };
    // By the address it was asked at, as Prometheus does in a cluster; not for a foreign page.
    const elsewhere = `http://127.0.0.2:${new URL(scheduler?.ready.url as string).port}/health/live`;
    expect((await fetch(elsewhere)).status).toBe(200);
    expect((await ask(scheduler, '/health/live', { origin: 'http://evil.example' })).status).toBe(403);
    for (const member of [scheduler, plain]) {
      expect((await ask(member, '/health/live')).status).toBe(200);
      expect(await (await ask(member, '/health/ready')).json()).toEqual({ status: 'ready' });
      expect((await ask(member, '/metrics')).status).toBe(401);
      expect((await ask(member, '/v1/tasks', bearer)).status).toBe(404);
      expect(await value(member, 'orchestrator_database_up{backend="postgres"}')).toBe(1);
      expect(await value(member, 'orchestrator_active_workers')).toBeNaN();
    }
    expect(await value(api, 'orchestrator_active_workers')).toBe(2);
    expect(await value(scheduler, 'orchestrator_scheduler_last_tick_timestamp_seconds')).toBeGreaterThan(1e9);
    expect(await value(plain, 'orchestrator_step_success_total{tool="debug.echo"}')).toBeGreaterThan(0);
    const beats = async () =>
      (await (await ask(api, '/metrics', bearer)).text()).match(
        /^orchestrator_worker_last_heartbeat_timestamp_seconds\{/gm,
      )?.length;
    expect(await beats()).toBe(2);

    // A worker's process is brought back; one that is told to stop drains, says what it did, and is not missed.
    process.kill(plain?.ready.service_pid as number, 'SIGKILL');
    await expect.poll(() => plain?.log(), { timeout: 20_000 }).toContain('was restarted');
    await expect
      .poll(() => value(plain, 'orchestrator_worker_restarts_total{reason="crash"}'), { timeout: 20_000 })
      .toBe(1);
    tagged?.child.kill('SIGTERM');
    expect(await tagged?.ended).toEqual({ code: 0, signal: null });
    expect(tagged?.log()).toMatch(/Stopped: \d+ runs finished/);
    await expect.poll(beats, { timeout: 20_000 }).toBe(1);
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
