import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { loadDriver } from '../../src/server/store/sqlite/open.js';
import { type Pao, startPao, until } from '../e2e/start-pao.js';
import { checkHistory } from './check-history.js';
import { rollDice, rounds } from './dice.js';
import { createTask, ended, homeWith, metric, type RunView, runTask } from './system.js';

const isLong = process.env['PAO_CHAOS'] === 'long';
let pao: Pao;

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
  }
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
/** Runs that succeeded, as the metrics count them. */
async function succeeded(): Promise<number> {
  const { body } = await pao.api<string>('GET', '/metrics');
  const lines = String(body).matchAll(/^orchestrator_runs_total\{[^}]*outcome="succeeded"[^}]*\} (\S+)$/gm);
  return [...lines].reduce((sum, [, value]) => sum + Number(value), 0);
}
const ECHO = [{ id: 'one', uses: 'debug.echo', with: { n: '${event.payload.n?}' } }];

it('row 22: a great many runs are due at once: all of them end, what is urgent passes, and the API answers meanwhile', async () => {
  rollDice('row 22');
  const listeners = rounds(20, 200);
  const published = rounds(150, 500);
  const total = listeners * published;
  const home = homeWith();
  pao = await startPao({ home, workers: 2 });
  for (let n = 0; n < listeners; n++)
    await createTask(pao, `listener-${n}`, { schedule: { kind: 'event', topic: 'flood' }, pipeline: ECHO });
  const urgent = await createTask(pao, 'urgent', { priority: 1, pipeline: ECHO });
  const events: string[] = [];
  const began = performance.now();
  const workers = [...pao.workerPids().values()];
  for (const pid of workers) process.kill(pid, 'SIGSTOP');
  await Promise.all(
    Array.from({ length: published }, async (_, n) => {
      const { body } = await pao.api<{ id: string }>('POST', '/v1/events', {
        topic: 'flood',
        payload: { n },
      });
      events.push(body.id);
    }),
  );
  // All of it is there before the first of it is begun.
  await until(
    'all to be due',
    async () => (await metric(pao, 'due_work_queue_depth')) >= total - 100,
    60_000,
  );
  const first = (await runTask(pao, urgent)) as string;
  const answers: number[] = [];
  const failures: number[] = [];
  const waiting = async () =>
    (await pao.api<{ items: RunView[] }>('GET', '/v1/runs?status=queued&limit=1')).body.items.length > 0;
  const asking = (async () => {
    do {
      for (const path of ['/v1/tasks?limit=50', '/v1/runs?limit=50', '/health/ready']) {
        const asked = performance.now();
        const { status } = await pao.api('GET', path);
        answers.push(performance.now() - asked);
        if (status !== 200) failures.push(status);
      }
    } while (await waiting());
  })();
  for (const pid of workers) process.kill(pid, 'SIGCONT');
  expect((await ended(pao, first)).status).toBe('succeeded');
  await asking;
  await until('all to end', async () => (await metric(pao, 'due_work_queue_depth')) === 0, 60_000);
  answers.sort((a, b) => a - b);
  console.log(
    `row 22: ${total} runs in ${Math.round((performance.now() - began) / 1000)} s; the API answered ${answers.length} times, p99 ${Math.round(answers[Math.floor(answers.length * 0.99)] ?? 0)} ms`,
  );
  expect(failures).toEqual([]);
  await until('each event to have made its runs', async () => (await succeeded()) === total + 1);
  // What is urgent came last and went before the flood.
  const database = new (loadDriver())(join(home, 'orchestrator.db'), { readonly: true });
  const ahead = database
    .prepare('SELECT count(*) FROM run WHERE started_at < (SELECT started_at FROM run WHERE id = ?)')
    .pluck()
    .get(first) as number;
  database.close();
  expect(ahead).toBeLessThan(total / 2);
  expect(await checkHistory(home, { events, runs: [first] })).toEqual([]);
});

it('row 26: while runs come each second, descriptors, rows of the queue and the journal do not grow', async () => {
  rollDice('row 26');
  const seconds = rounds(8, 3600);
  const home = homeWith();
  pao = await startPao({ home, workers: 2 });
  const tasks: string[] = [];
  for (let n = 0; n < 20; n++)
    tasks.push(
      await createTask(pao, `each-second-${n}`, {
        schedule: { kind: 'cron', expr: '* * * * * *', timezone: 'UTC', overlap: 'allow' },
        pipeline: ECHO,
      }),
    );
  const grown = async (by: number) => {
    const before = await succeeded();
    await until(`${by} runs`, async () => (await succeeded()) >= before + by, 60_000);
  };
  // What is opened once, at the first runs, is no leak.
  await grown(40);
  const pids = [pao.pid, ...pao.descendants()];
  const first = descriptors(pids);
  const memory: Sample[] = [];
  let journal = 0;
  for (let second = 0; second < seconds; second++) {
    await grown(10);
    await pause(isLong ? 1000 : 0);
    journal = Math.max(journal, statSync(join(home, 'orchestrator.db-wal')).size);
    memory.push({ at: performance.now(), bytes: residentBytes(pids) });
  }
  const last = descriptors(pids);
  for (const [index, pid] of pids.entries())
    expect(
      Math.abs((last[index] as number) - (first[index] as number)),
      `descriptors of ${pid}`,
    ).toBeLessThanOrEqual(5);
  expect(journal).toBeLessThan(64 * 1024 * 1024);
  if (isLong) expect(slopeOf(memory)).toBeLessThan(20 * 1024 * 1024);
  for (const id of tasks) await pao.api('POST', `/v1/tasks/${id}/pause`, {});
  await until('the queue to be empty', async () => {
    const { body } = await pao.api<{ items: unknown[] }>(
      'GET',
      '/v1/runs?status=queued,running,waiting&limit=1',
    );
    return body.items.length === 0;
  });
  console.log(
    `row 26: ${await succeeded()} runs; descriptors ${first} then ${last}; journal ${Math.round(journal / 1024)} KiB at most`,
  );
  expect(await checkHistory(home, { tasks })).toEqual([]);
});

interface Sample {
  at: number;
  bytes: number;
}

/** Growth in an hour, by least squares over the second half. */
function slopeOf(samples: readonly Sample[]): number {
  const half = samples.slice(samples.length >> 1);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(half.map(({ at }) => at)), mean(half.map(({ bytes }) => bytes))];
  const above = half.reduce((sum, { at, bytes }) => sum + (at - x) * (bytes - y), 0);
  const below = half.reduce((sum, { at }) => sum + (at - x) ** 2, 0);
  return (above / below) * 3_600_000;
}

/** What processes hold in memory, together. */
const residentBytes = (pids: readonly number[]): number =>
  pids.reduce((sum, pid) => {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return sum + Number(kilobytes) * 1024;
  }, 0);

const descriptors = (pids: readonly number[]): number[] =>
  pids.map((pid) => readdirSync(`/proc/${pid}/fd`).length);
