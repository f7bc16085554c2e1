import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { PaoClient } from '../../src/client/pao-client.js';
import { fleetHome, type FleetKind, type FleetMember, fleetToken, startMember } from '../e2e/a-fleet.js';
import { type Cluster, startCluster } from '../postgres/cluster.js';
import { rollDice, rounds } from './dice.js';
import { admitHosts, type Host, makeHost } from './fleet-network.js';

const LEASE_MS = 3000;
const TASKS = 200;
/** Occurrences that must come due before the faults end. */
const WANTED = rounds(10_000, 100_000);

let cluster: Cluster;
let remote: Host | null;
const home = fleetHome(`lease: ${LEASE_MS / 1000}s\nworker_concurrency: 8\n`);
const members = new Set<FleetMember>();

beforeAll(async () => {
  cluster = await startCluster({ settings: { listen_addresses: '*' } });
  remote = makeHost(`pao${process.pid % 10_000}`, process.pid % 250);
  await admitHosts(cluster);
});
afterAll(async () => {
  for (const { child, ready } of members) {
    for (const pid of [child.pid as number, ready.service_pid]) send(pid, 'SIGKILL');
  }
  remote?.link('up');
  await Promise.all([...members].map(({ ended }) => ended));
  remote?.remove();
  await cluster.remove();
  home.remove();
});

const send = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
};

/** As a process manager does: what ends while it comes up (the database has just gone) is started again. */
async function start(kind: FleetKind, host: Host | null = null): Promise<FleetMember> {
  const database = new URL(cluster.url);
  if (host !== null) database.hostname = host.gateway;
  for (let attempt = 1; ; attempt++) {
    try {
      const member = await startMember(kind, {
        home: home.home,
        database: database.href,
        args: kind === 'api' ? ['--port', '0', '--wait', '120s'] : ['--wait', '120s'],
        prefix: host?.prefix ?? [],
      });
      members.add(member);
      return member;
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

/** A fleet in which members die, sleep and are cut off, and the database is restarted (reliability.md D3, rows 1, 2, 11, 12, 13). */
it('rows 11 and 12: a fleet loses nothing and does nothing twice, whatever happens to its members', async () => {
  const dice = rollDice('fleet');
  const first = await start('api');
  const started = await Promise.all([
    start('api'),
    ...[1, 2, 3].map(() => start('scheduler')),
    ...[1, 2, 3].map(() => start('worker')),
    start('worker', remote),
  ]);
  if (remote === null)
    console.log(
      'fleet: no network namespaces here (root and iproute2 are needed): a host that is cut off is not covered',
    );
  const away = started.at(-1) as FleetMember;
  const pao = new PaoClient({ url: first.ready.url as string, token: fleetToken(home.home) });
  for (let index = 0; index < TASKS; index++) {
    await pao.applyTask({
      name: `t${index}`,
      schedule: {
        kind: 'cron',
        expr: '* * * * * *',
        timezone: 'UTC',
        overlap: 'allow',
        catchup: { policy: 'all', max: 1000, window: '1h' },
      },
      pipeline: [
        { id: 'one', uses: 'debug.echo', with: { n: index } },
        { id: 'two', uses: 'debug.echo', with: { n: '${steps.one.n}' } },
      ],
    } as never);
  }
  const admin = await connect();
  const count = async (sql: string) => Number((await query(admin, sql))[0]?.['n']);
  const faults = { kills: 0, sleeps: 0, cuts: 0, restarts: 0 };
  const sleeping: Promise<unknown>[] = [];
  const startedAt = performance.now();
  for (let round = 0; (await count('SELECT count(*) AS n FROM run')) < WANTED; round++) {
    if (performance.now() - startedAt > 240_000) throw new Error('The fleet is too slow to ever get there.');
    await pause(dice.between(700, 2000));
    const victims = [...members].filter(({ kind }) => kind !== 'api');
    if (round === 4) {
      await cluster.kill();
      await cluster.start();
      faults.restarts += 1;
    } else if (round === 8 && remote !== null) {
      const host = remote;
      host.link('down');
      faults.cuts += 1;
      sleeping.push(pause(3 * LEASE_MS).then(() => host.link('up')));
    } else if (dice.chance(0.3)) {
      // The process that does the work, longer than its lease.
      const { ready } = dice.pick(victims);
      if (send(ready.service_pid, 'SIGSTOP')) faults.sleeps += 1;
      sleeping.push(pause(2 * LEASE_MS).then(() => send(ready.service_pid, 'SIGCONT')));
    } else {
      const victim = dice.pick(victims.filter((one) => one !== away));
      if (victim === undefined) continue;
      send(victim.child.pid as number, 'SIGKILL');
      send(victim.ready.service_pid, 'SIGKILL');
      members.delete(victim);
      faults.kills += 1;
      sleeping.push(start(victim.kind));
    }
  }
  await Promise.all(sleeping);
  for (let index = 0; index < TASKS; index++)
    await pao.pauseTask((await pao.findTask(`t${index}`)).id, 'enough');
  await expect
    .poll(() => count("SELECT count(*) AS n FROM run WHERE status = 'active'"), {
      timeout: 120_000,
      interval: 500,
    })
    .toBe(0);

  const total = await count('SELECT count(*) AS n FROM run');
  console.log(
    `fleet: ${total} occurrences of ${TASKS} tasks in ${Math.round((performance.now() - startedAt) / 1000)} s on ${await version(admin)}; ${JSON.stringify(faults)}`,
  );
  expect(
    await count(
      'SELECT count(*) AS n FROM (SELECT 1 FROM run GROUP BY task_seq, scheduled_for HAVING count(*) > 1) AS x',
    ),
  ).toBe(0);
  // From the first to the last second of each task there is a row for each second.
  const holes = await query(
    admin,
    `SELECT task_seq, count(*) AS rows, extract(epoch FROM max(scheduled_for) - min(scheduled_for)) + 1 AS seconds
      FROM run GROUP BY task_seq HAVING count(*) <> extract(epoch FROM max(scheduled_for) - min(scheduled_for)) + 1`,
  );
  expect(holes).toEqual([]);
  expect(await count('SELECT count(*) AS n FROM due_work')).toBe(0);
  const others = await query(
    admin,
    `SELECT status, reason, count(*) AS n FROM run WHERE status <> 'succeeded' GROUP BY status, reason`,
  );
  // Three deaths on one run are poison, and say so; everything else was done.
  for (const row of others)
    expect(['dead/poison', 'missed/catchup_window', 'skipped/paused']).toContain(
      `${row['status']}/${row['reason']}`,
    );
  const unfinished = await count(
    `SELECT count(*) AS n FROM run r WHERE r.status = 'succeeded' AND
      (SELECT count(*) FROM step_run s WHERE s.run_seq = r.seq AND s.status = 'succeeded') <> 2`,
  );
  expect(unfinished).toBe(0);
  await admin.end();
});

it('row 13: a host that is cut off for longer than its lease changes nothing any more', async () => {
  if (remote === null) {
    console.log('row 13: not covered here: network namespaces need root and iproute2');
    return;
  }
  const host = remote;
  const calls: ServerResponse[] = [];
  const tool = createServer((_request, response) => {
    calls.push(response);
    // The first call is answered when its caller is cut off; the next ones at once.
    if (calls.length > 1) answer(response, calls.length);
  });
  await new Promise<void>((resolve) => tool.listen(0, host.gateway, resolve));
  const target = `${host.gateway}:${(tool.address() as AddressInfo).port}`;
  const api = await start('api');
  await start('scheduler');
  const database = new URL(cluster.url);
  database.hostname = host.gateway;
  const far = await startMember('worker', {
    home: home.home,
    database: database.href,
    args: ['--tag', 'far'],
    prefix: host.prefix,
  });
  members.add(far);
  const pao = new PaoClient({ url: api.ready.url as string, token: fleetToken(home.home) });
  const { body } = await fetch(`${api.ready.url}/v1/tools`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${fleetToken(home.home)}` },
    body: JSON.stringify({
      address: 'far.call',
      title: 'Far',
      kind: 'http',
      side_effect: 'read',
      grants: [target],
      http: { method: 'GET', url: `http://${target}/` },
    }),
  }).then(async (response) => ({ body: `${response.status} ${await response.text()}` }));
  expect(body).toMatch(/^201/);
  await pao.applyTask({
    name: 'far',
    runs_on: ['far'],
    pipeline: [{ id: 'call', uses: 'far.call', timeout: '120s' }],
  } as never);
  const run = await pao.runTask((await pao.findTask('far')).id);
  await expect.poll(() => calls.length, { timeout: 30_000 }).toBe(1);
  host.link('down');
  await expect
    .poll(async () => (await pao.getRun(run.id)).status, { timeout: 30_000, interval: 200 })
    .toBe('queued');
  // Another one takes it up and ends it, while the first has its answer waiting on the other side of the cut.
  members.add(
    await startMember('worker', { home: home.home, database: cluster.url, args: ['--tag', 'far'] }),
  );
  answer(calls[0] as ServerResponse, 1);
  const ended = await pao.waitForRun(run.id, { timeoutMs: 60_000 });
  expect(ended).toMatchObject({ status: 'succeeded', attempt: 2, output: { call: 2 } });
  host.link('up');
  await expect.poll(() => far.log(), { timeout: 60_000 }).toMatch(/lease was lost/);
  expect(await pao.getRun(run.id)).toMatchObject({ status: 'succeeded', attempt: 2, output: { call: 2 } });
  await new Promise((resolve) => tool.close(resolve).closeAllConnections());
});

function answer(response: ServerResponse, call: number): void {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ call }));
}

async function connect(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: cluster.url });
  client.on('error', () => {});
  await client.connect();
  return client;
}

/** Over a restart of the database: the connection is made anew. */
async function query(client: pg.Client, sql: string): Promise<Record<string, unknown>[]> {
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[];
  } catch {
    const again = await connect();
    try {
      return (await again.query(sql)).rows as Record<string, unknown>[];
    } finally {
      await again.end();
    }
  }
}

const version = async (client: pg.Client) =>
  `PostgreSQL ${String((await query(client, 'SHOW server_version'))[0]?.['server_version']).split(' ')[0]}`;
