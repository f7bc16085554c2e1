import { type ChildProcess, spawn } from 'node:child_process';
import { afterEach, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../e2e/start-pao.js';
import { findProgram } from '../find-program.js';
import { type RedisServer, startRedis } from '../server/bus/a-redis.js';
import { checkHistory } from './check-history.js';
import { rollDice, rounds } from './dice.js';
import { type HeldTool, startHeldTool } from './held-tool.js';
import { createTask, ended, homeWith, runTask } from './system.js';

let pao: Pao;
let tool: HeldTool;
let redis: RedisServer | null = null;

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
    await tool.close();
    await redis?.stop();
    redis = null;
  }
});

const SEND = [{ id: 'send', uses: 'probe.once', with: { call: '${run.id}' } }];

it('row 6: the disk fails to sync: what is not safe is refused, nothing acknowledged is lost, and it comes back', async () => {
  rollDice('row 6');
  const strace = findProgram('strace');
  tool = await startHeldTool();
  const home = homeWith();
  pao = await startPao({ home, workers: 2 });
  await tool.addTo(pao);
  const task = await createTask(pao, 'send', { pipeline: SEND });
  const accepted: string[] = [];
  const refused: (number | string)[] = [];
  const life = { goesOn: true };
  const client = async () => {
    while (life.goesOn) {
      const answer = await pao
        .api<{ id: string }>('POST', `/v1/tasks/${task}/run`, {})
        .catch((error: unknown) => String(error));
      if (typeof answer === 'string') refused.push(answer);
      else if (answer.status === 202) accepted.push(answer.body.id);
      else refused.push(answer.status);
    }
  };
  const clients = [client(), client()];
  await until('runs to be accepted', () => accepted.length >= 10);
  const faulty = injectSyncErrors(strace, [pao.pid, ...pao.descendants()]);
  try {
    await until('the disk to be seen to fail', () => refused.length >= rounds(5, 500), 60_000, faulty.output);
    await until('health to say that the disk fails', async () => {
      const { status, body } = await pao.api<{ checks: { name: string; status: string }[] }>(
        'GET',
        '/health',
      );
      return status === 503 && body.checks.some((one) => one.name === 'store' && one.status === 'fail');
    });
  } finally {
    await faulty.end();
  }
  const before = accepted.length;
  await until('runs to be accepted again', () => accepted.length >= before + 10);
  life.goesOn = false;
  await Promise.all(clients);
  // An error of the disk is an answer, not a connection that ends.
  expect(refused.filter((one) => typeof one === 'string')).toEqual([]);
  const outcomes: Record<string, number> = {};
  for (const run of accepted) {
    const { status, reason } = await ended(pao, run);
    const how = reason === null ? status : `${status}: ${reason}`;
    outcomes[how] = (outcomes[how] ?? 0) + 1;
  }
  console.log(`row 6: ${accepted.length} accepted, ${refused.length} refused; ${JSON.stringify(outcomes)}`);
  expect(Object.keys(outcomes).filter((how) => !/^(succeeded|partial: unknown_outcome)$/.test(how))).toEqual(
    [],
  );
  expect(await checkHistory(home, { runs: accepted, onceCalls: tool.requests })).toEqual([]);
});

it('row 15: Redis goes and comes back empty: every event is worked off in its order, every message is sent, once', async () => {
  rollDice('row 15');
  tool = await startHeldTool();
  redis = await startRedis();
  const home = homeWith();
  pao = await startPao({ home, workers: 2, verb: 'system', args: ['--redis', redis.url] });
  await tool.addTo(pao);
  const key = '${event.payload.key}/${event.payload.n}';
  const task = await createTask(pao, 'on-event', {
    schedule: { kind: 'event', topic: 'row15', overlap: 'queue', queue_limit: 1000 },
    pipeline: [
      { id: 'look', uses: 'probe.read', with: { call: `look/${key}` } },
      { id: 'tell', uses: 'probe.once', kind: 'notify', with: { call: `tell/${key}` } },
    ],
  });
  const told = () => tool.requests.filter(({ call }) => call.startsWith('tell/')).length;
  const events: string[] = [];
  let next = 0;
  const publish = async (count: number) => {
    for (const end = next + count; next < end; next += 1) {
      const { status, body } = await pao.api<{ id: string }>('POST', '/v1/events', {
        topic: 'row15',
        payload: { key: next % 2, n: next },
      });
      expect(status).toBe(201);
      events.push(body.id);
    }
  };
  await publish(10);
  await until('messages to be sent over Redis', () => told() === 10);
  await redis.kill();
  await publish(rounds(30, 600));
  await until('the system to say that Redis is away', async () => {
    const { body } = await pao.api<{ checks: { name: string; status: string }[] }>('GET', '/health');
    return body.checks.some(({ name, status }) => name === 'bus' && status !== 'pass');
  });
  // Nothing waits for Redis: it is a speed-up.
  await until('all messages to be sent without it', () => told() === next, 60_000);
  await redis.restart();
  await until('the system to have Redis again', async () => {
    const { body } = await pao.api<{ status: string; checks: { name: string; status: string }[] }>(
      'GET',
      '/health',
    );
    return body.checks.every(({ name, status }) => name !== 'bus' || status === 'pass');
  });
  await publish(10);
  await until('messages to be sent over Redis again', () => told() === next);
  const looks = tool.requests.flatMap(({ call }) =>
    call.startsWith('look/') ? [Number(call.split('/')[2])] : [],
  );
  expect(looks).toEqual(Array.from({ length: next }, (_, n) => n));
  const onceCalls = tool.requests.filter(({ call }) => call.startsWith('tell/'));
  expect(await checkHistory(home, { tasks: [task], events, onceCalls })).toEqual([]);
  const { body } = await pao.api<{ items: { status: string }[] }>('GET', '/v1/deliveries?limit=1000');
  expect(body.items.filter(({ status }) => status !== 'delivered')).toEqual([]);
  console.log(`row 15: ${next} events`);
  // A run of one's own goes through as well.
  const own = await createTask(pao, 'own', { pipeline: SEND });
  expect((await ended(pao, (await runTask(pao, own)) as string)).status).toBe('succeeded');
});

/** Makes each sync of some processes to disk fail with EIO, until it is ended. */
function injectSyncErrors(strace: string, pids: readonly number[]) {
  const child: ChildProcess = spawn(
    strace,
    [
      ...['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO'],
      ...pids.flatMap((pid) => ['-p', String(pid)]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let written = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    written = (written + text).slice(-4000);
  });
  const gone = new Promise((resolve) => child.once('close', resolve));
  return {
    output: () => written,
    async end() {
      child.kill('SIGINT');
      await gone;
    },
  };
}
