import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../postgres/cluster.js';
import {
  applyTask,
  briefingTask,
  finishedRun,
  type RunView,
  startWorld,
  stepOf,
  type World,
} from './briefing/briefing-world.js';
import { type Pao, startPao, until } from './start-pao.js';

let cluster: Cluster;
let world: World;
let pao: Pao;

beforeEach(async () => {
  [cluster, world] = await Promise.all([startCluster(), startWorld()]);
  pao = await startPao({ workers: 2, env: { DATABASE_URL: cluster.url } });
  world.writeSecrets(pao.home);
  await pao.json(['tool', 'import', 'tools.yaml'], { cwd: world.directory });
});

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
    await world.close();
    await cluster.remove();
  }
});

test('the briefing runs over PostgreSQL; the database is killed in the middle of it: it goes on, and delivers once', async () => {
  expect(pao.output()).toContain(`postgres://postgres@127.0.0.1:${cluster.port}/postgres`);
  const task = briefingTask(world);
  delete task.schedule;
  stepOf(task, 'mail').timeout = '8s';
  world.mail.faults.next({ kind: 'hang' });
  const before = world.mail.requests.length;
  const { id } = await applyTask(pao, task);
  const { body } = await pao.api<RunView>('POST', `/v1/tasks/${id}/run`, {});
  await until('the mail to be asked', () => world.mail.requests.length > before);

  // Others are queued while it is killed: what was accepted with 202 is done, once.
  const { id: echo } = await applyTask(pao, {
    name: 'echo',
    pipeline: [{ id: 'one', uses: 'debug.echo', with: { text: 'hi' } }],
  } as never);
  const accepted: string[] = [];
  let refused = 0;
  const ask = async () => {
    const answer = await pao.api<RunView>('POST', `/v1/tasks/${echo}/run`, {}).catch(() => null);
    if (answer?.status === 202) accepted.push(answer.body.id);
    else refused += 1;
  };
  await Promise.all(Array.from({ length: 50 }, ask));
  const during = Promise.all(Array.from({ length: 50 }, ask));
  await cluster.kill();
  await during;
  await ask();
  expect(refused).toBeGreaterThan(0);
  const isReady = async () => (await fetch(`${pao.url}/health/ready`).catch(() => null))?.status === 200;
  await until('it to say that it is not ready', async () => !(await isReady()));
  await cluster.start();
  // A database that goes takes no process with it.
  expect(pao.output()).not.toContain(' died');

  const run = await finishedRun(pao, body.id, 60_000);
  expect(['succeeded', 'partial']).toContain(run.status);
  expect(world.telegram.messages).toHaveLength(1);
  for (const runId of accepted) expect((await finishedRun(pao, runId, 60_000)).status).toBe('succeeded');
  await until('it to be ready again', isReady);
  const { body: list } = await pao.api<{ items: RunView[] }>('GET', `/v1/runs?task_id=${echo}&limit=200`);
  const ids = list.items.map(({ id: one }) => one);
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids).toEqual(expect.arrayContaining(accepted));
  await until('nothing to be under way', async () => {
    const { body: active } = await pao.api<{ items: unknown[] }>(
      'GET',
      '/v1/runs?status=queued,running,waiting',
    );
    return active.items.length === 0;
  });
});
