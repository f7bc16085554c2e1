import { afterEach, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../e2e/start-pao.js';
import { checkHistory } from './check-history.js';
import { rollDice, rounds } from './dice.js';
import { type HeldTool, startHeldTool } from './held-tool.js';
import { createTask, ended, homeWith, metric, type RunView, runOf, runTask, slotOf } from './system.js';

let pao: Pao;
let tool: HeldTool;

afterEach(async () => {
  try {
    await pao.stop();
  } finally {
    pao.cleanUp();
    await tool.close();
  }
});

/** Three calls: one that may be repeated, one that may not, one more. */
const PIPELINE = [
  { id: 'look', uses: 'probe.read', with: { call: '${run.id}/look' } },
  { id: 'send', uses: 'probe.once', with: { call: '${run.id}/send' } },
  { id: 'end', uses: 'probe.read', with: { call: '${run.id}/end' } },
];

it('row 1: workers die at random moments; work goes on elsewhere, nothing that was done is done again', async () => {
  const dice = rollDice('row 1');
  const kills = rounds(8, 200);
  tool = await startHeldTool();
  tool.onCall = (_call, answer) => setTimeout(answer, dice.between(0, 60));
  pao = await startPao({ workers: 2, args: ['--concurrency', '4'], home: homeWith() });
  await tool.addTo(pao);
  const task = await createTask(pao, 'three', { pipeline: PIPELINE });
  const acknowledged: string[] = [];
  const recovered: number[] = [];
  const killing = { goesOn: true };
  const client = (async () => {
    while (killing.goesOn) {
      const run = await runTask(pao, task);
      if (run !== null) acknowledged.push(run);
      await pause(dice.between(10, 40));
    }
  })();
  for (let kill = 0; kill < kills; kill++) {
    await pause(dice.between(100, 700));
    const workers = await until('a worker to be up', () => {
      const pids = pao.workerPids();
      return pids.size > 0 && pids;
    });
    const [slot, pid] = dice.pick([...workers]);
    const { body } = await pao.api<{ items: RunView[] }>('GET', '/v1/runs?status=running');
    process.kill(pid, 'SIGKILL');
    const began = performance.now();
    for (const run of body.items.filter((one) => slotOf(one) === slot)) {
      await until('the run to be elsewhere or over', async () => {
        const now = await runOf(pao, run.id);
        return now.status !== 'running' || now.worker_id !== run.worker_id;
      });
      recovered.push(performance.now() - began);
    }
  }
  killing.goesOn = false;
  await client;
  const runs = [];
  for (const run of acknowledged) runs.push(await ended(pao, run));
  recovered.sort((a, b) => a - b);
  console.log(
    `row 1: ${kills} kills, ${runs.length} runs; ${recovered.length} caught, taken back after ${Math.round(recovered[recovered.length >> 1] ?? 0)} ms p50, ${Math.round(recovered.at(-1) ?? 0)} ms at most`,
  );
  for (const run of runs) {
    const calls = tool.requests.map(({ call }) => call).filter((call) => call.startsWith(run.id));
    const sent = calls.indexOf(`${run.id}/send`);
    // What was recorded before the send was never asked for again after it.
    if (sent !== -1) expect(calls.slice(sent)).not.toContain(`${run.id}/look`);
    if (run.status === 'succeeded') expect(calls.filter((call) => call.endsWith('/send'))).toHaveLength(1);
    else if (run.status === 'dead') expect(run.reason).toBe('poison');
    else expect([run.status, run.reason]).toEqual(['partial', 'unknown_outcome']);
  }
  const onceCalls = tool.requests.filter(({ call }) => call.endsWith('/send'));
  expect(await checkHistory(pao.home, { runs: acknowledged, onceCalls })).toEqual([]);
});

it('row 2: a worker that was stopped for longer than its lease writes nothing any more', async () => {
  rollDice('row 2');
  tool = await startHeldTool();
  tool.holds = true;
  pao = await startPao({ workers: 2, args: ['--concurrency', '1'], home: homeWith({ lease: '2s' }) });
  await tool.addTo(pao);
  const task = await createTask(pao, 'one', { pipeline: [PIPELINE[0]], timeout: '5m' });
  const run = (await runTask(pao, task)) as string;
  await until('the call', () => tool.requests.length === 1);
  const slot = slotOf(await runOf(pao, run));
  const stopped = pao.workerPids().get(slot) as number;
  process.kill(stopped, 'SIGSTOP');
  try {
    await until('the lease to move', async () => {
      const now = await runOf(pao, run);
      return now.status === 'running' && slotOf(now) !== slot && tool.requests.length === 2;
    });
    tool.release();
    const before = await ended(pao, run);
    expect(before.status).toBe('succeeded');
    expect(await metric(pao, 'fencing_rejections_total')).toBe(0);
    process.kill(stopped, 'SIGCONT');
    await until('the late result to be refused', async () => {
      return (await metric(pao, 'fencing_rejections_total')) > 0;
    });
    expect(await runOf(pao, run)).toEqual(before);
  } finally {
    process.kill(stopped, 'SIGCONT');
  }
  // The one that lost its lease is as good as any other.
  const again = (await runTask(pao, task)) as string;
  expect((await ended(pao, again)).status).toBe('succeeded');
  expect(await checkHistory(pao.home, { runs: [run, again] })).toEqual([]);
});

it('row 19: a task that takes its worker with it is dead after three deaths, and harms no other', async () => {
  rollDice('row 19');
  tool = await startHeldTool();
  pao = await startPao({ workers: 2, args: ['--concurrency', '4'], home: homeWith() });
  await tool.addTo(pao);
  const poison = await createTask(pao, 'poison', {
    pipeline: [{ id: 'one', uses: 'probe.read', with: { call: 'poison' } }],
    retry: { max: 10, backoff: 'fixed', base: '10ms' },
  });
  const good = await createTask(pao, 'good', { pipeline: PIPELINE });
  let deaths = 0;
  let poisoned = '';
  tool.onCall = (call, answer) => {
    if (call !== 'poison') return void setTimeout(answer, 5);
    deaths += 1;
    // As if the step had called process.exit(): whoever asks dies of it.
    void runOf(pao, poisoned).then((run) =>
      process.kill(pao.workerPids().get(slotOf(run)) as number, 'SIGKILL'),
    );
  };
  poisoned = (await runTask(pao, poison)) as string;
  const others: string[] = [];
  await until('the poison to be dead', async () => {
    const run = await runTask(pao, good);
    if (run !== null) others.push(run);
    return (await runOf(pao, poisoned)).status === 'dead';
  });
  expect(await ended(pao, poisoned)).toMatchObject({ status: 'dead', reason: 'poison' });
  expect(deaths).toBe(3);
  for (const run of others) {
    const { status, reason } = await ended(pao, run);
    // One that shared the worker when it died may have been in the middle of its send.
    expect(status === 'succeeded' || reason === 'unknown_outcome').toBe(true);
  }
  const onceCalls = tool.requests.filter(({ call }) => call.endsWith('/send'));
  expect(await checkHistory(pao.home, { runs: [poisoned, ...others], onceCalls })).toEqual([]);
});

it('row 20: a tool that hangs, drips or never ends holds its slot no longer than the step may take', async () => {
  rollDice('row 20');
  tool = await startHeldTool();
  pao = await startPao({ workers: 1, args: ['--concurrency', '3'], home: homeWith() });
  await tool.addTo(pao);
  tool.onCall = (call, answer, response) => {
    if (call === 'hang') return;
    if (call === 'good') return answer();
    response.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => response.write(call === 'drip' ? ' ' : 'x'.repeat(65_536)), 20);
    response.once('close', () => clearInterval(drip));
  };
  const runs: string[] = [];
  for (const call of ['hang', 'drip', 'endless']) {
    const pipeline = [{ id: 'one', uses: 'probe.read', with: { call }, timeout: '1s' }];
    const task = await createTask(pao, call, { pipeline, retry: { max: 0 } });
    runs.push((await runTask(pao, task)) as string);
  }
  await until('every slot to be taken', () => tool.requests.length === 3);
  const good = await createTask(pao, 'good', {
    pipeline: [{ id: 'one', uses: 'probe.read', with: { call: 'good' } }],
  });
  const after = (await runTask(pao, good)) as string;
  expect((await ended(pao, after)).status).toBe('succeeded');
  for (const run of runs) {
    const { reason, started_at, finished_at } = await ended(pao, run);
    expect(['timeout', 'too_large']).toContain(reason);
    const took = Date.parse(finished_at as string) - Date.parse(started_at as string);
    console.log(`row 20: ${reason} after ${took} ms`);
  }
  expect(await checkHistory(pao.home, { runs: [...runs, after] })).toEqual([]);
});

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
