import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { type Pao, startPao, until } from '../e2e/start-pao.js';
import { checkHistory } from './check-history.js';
import { rollDice, rounds } from './dice.js';
import { type HeldTool, startHeldTool } from './held-tool.js';
import { createTask, ended, homeWith, type RunView, runOf, runTask } from './system.js';

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

it('row 3: everything is killed at random moments; nothing acknowledged is lost, nothing happens twice', async () => {
  const dice = rollDice('row 3');
  const loops = rounds(5, 300);
  tool = await startHeldTool();
  const home = homeWith();
  const acknowledged = { tasks: [] as string[], runs: [] as string[], events: [] as string[] };
  const ready: number[] = [];
  pao = await startPao({ home, workers: 2 });
  await tool.addTo(pao);
  for (let loop = 0; loop < loops; loop++) {
    if (loop > 0) {
      pao = await startPao({ home, workers: 2 });
      ready.push(pao.readyMs);
    }
    const life = { goesOn: true };
    const client = async (lane: number) => {
      const taken = async (path: string, body: object, list: string[]) => {
        const answer = await pao.api<{ id: string }>('POST', path, body).catch(() => null);
        if (answer !== null && answer.status < 300) list.push(answer.body.id);
        return answer?.body.id;
      };
      for (let index = 0; life.goesOn; index++) {
        const name = `t-${loop}-${lane}-${index}`;
        const pipeline = [
          { id: 'send', uses: 'probe.once', with: { call: '${run.id}' } },
          { id: 'end', uses: 'debug.echo', with: { text: 'x' } },
        ];
        const at = new Date(Date.now() + dice.between(300, 1500)).toISOString();
        const schedule = dice.pick([
          { kind: 'event', topic: `topic-${lane}` },
          { kind: 'once', at, timezone: 'UTC' },
        ]);
        const task = await taken('/v1/tasks', { name, pipeline, schedule }, acknowledged.tasks);
        await taken('/v1/events', { topic: `topic-${lane}`, payload: index }, acknowledged.events);
        if (task !== undefined) await taken(`/v1/tasks/${task}/run`, {}, acknowledged.runs);
      }
    };
    const clients = [0, 1, 2].map(client);
    // At any moment, yet never before there was something to lose, however slow the machine is.
    const total = () => Object.values(acknowledged).reduce((sum, list) => sum + list.length, 0);
    const enough = total() + dice.between(1, 25);
    await until('something to be acknowledged', () => total() >= enough);
    await new Promise((resolve) => setTimeout(resolve, dice.between(0, 30)));
    await pao.killAll();
    life.goesOn = false;
    await Promise.all(clients);
  }
  pao = await startPao({ home, workers: 2 });
  ready.push(pao.readyMs);
  await until(
    'all work to end',
    async () => {
      const { body } = await pao.api<{ items: RunView[] }>('GET', '/v1/runs?status=queued,running&limit=1');
      const { body: tasks } = await pao.api<{ items: { next_due_at: string | null }[] }>(
        'GET',
        '/v1/tasks?limit=500',
      );
      return body.items.length === 0 && tasks.items.every((task) => task.next_due_at === null);
    },
    60_000,
  );
  ready.sort((a, b) => a - b);
  const counts = Object.values(acknowledged).map(({ length }) => length);
  console.log(
    `row 3: ${loops} kills, ${counts} tasks, runs and events acknowledged; ready again after ${Math.round(ready[ready.length >> 1] ?? 0)} ms p50, ${Math.round(ready.at(-1) ?? 0)} ms at most`,
  );
  expect(await checkHistory(home, { ...acknowledged, onceCalls: tool.requests })).toEqual([]);
  for (const id of acknowledged.runs) {
    const { status, reason } = await runOf(pao, id);
    expect(status === 'succeeded' || reason === 'unknown_outcome').toBe(true);
  }
});

it('row 4: a process dies at each commit of a run, before it and after it', async () => {
  rollDice('row 4');
  tool = await startHeldTool();
  const home = homeWith();
  const arm = join(home, 'crash.json');
  const hook = fileURLToPath(new URL('crash-at-commit.cjs', import.meta.url));
  pao = await startPao({
    home,
    workers: 2,
    clock: '2026-11-24T06:00:00Z',
    env: { NODE_OPTIONS: `--require ${hook}`, PAO_CRASH_AT: arm },
  });
  await tool.addTo(pao);
  const pipeline = [
    { id: 'look', uses: 'probe.read', with: { call: '${run.id}/look' } },
    { id: 'send', uses: 'probe.once', with: { call: '${run.id}/send' } },
    { id: 'end', uses: 'debug.echo', with: { text: 'x' } },
  ];
  const manual = await createTask(pao, 'manual', { pipeline });
  const runs: string[] = [];
  const outcomes: string[] = [];
  /** @returns whether the order was carried out. */
  const crash = async (slot: string, nth: number, when: string, act: () => Promise<string[]>) => {
    writeFileSync(`${arm}.new`, JSON.stringify({ slot, nth, when, at: outcomes.length }));
    rmSync(`${arm}.done`, { force: true });
    renameSync(`${arm}.new`, arm);
    const begun = await act();
    for (const run of begun) {
      const { status, reason } = await ended(pao, run);
      outcomes.push(`${slot} ${when} commit ${nth}: ${status}`);
      expect(status === 'succeeded' || reason === 'unknown_outcome').toBe(true);
    }
    runs.push(...begun);
    const carriedOut = existsSync(`${arm}.done`);
    rmSync(arm, { force: true });
    return carriedOut;
  };
  const byHand = async () => {
    const run = await until('the run to be taken', () => runTask(pao, manual), 60_000);
    return [run];
  };
  let once = 0;
  const bySchedule = async () => {
    const at = new Date(Date.parse('2026-11-24T06:00:00Z') + 86_400_000 * ++once).toISOString();
    const schedule = { kind: 'once', at, timezone: 'UTC' };
    const task = await createTask(pao, `once-${once}`, { pipeline, schedule });
    await pao.advance(86_400_000);
    const run = await until('the run to be there', async () => {
      const { body } = await pao.api<{ items: RunView[] }>('GET', `/v1/runs?task_id=${task}`);
      if (body.items.length > 1) throw new Error('One occurrence made two runs.');
      return body.items[0] ?? null;
    });
    return [run.id];
  };
  const points: Record<string, number> = {};
  for (const [slot, act, most] of [
    ['w', byHand, 12],
    ['scheduler', bySchedule, rounds(2, 6)],
    ['api', byHand, rounds(2, 6)],
  ] as const) {
    let nth = 1;
    for (; nth <= most; nth++) {
      // A heartbeat now and then is one commit more: the last one is reached when both orders were left undone.
      const before = await crash(slot, nth, 'before', act);
      const after = await crash(slot, nth, 'after', act);
      if (!before && !after) break;
    }
    points[slot] = nth - 1;
  }
  console.log(`row 4: died at ${JSON.stringify(points)} commits, before and after each`);
  // Lease, the call that is announced, the end: at least these.
  expect(points.w).toBeGreaterThanOrEqual(3);
  expect(points.scheduler).toBeGreaterThanOrEqual(1);
  expect(points.api).toBeGreaterThanOrEqual(1);
  const onceCalls = tool.requests.filter(({ call }) => call.endsWith('/send'));
  expect(await checkHistory(home, { runs, onceCalls })).toEqual([]);
});

it('row 24: SIGTERM in full work: what can end ends, the rest is handed back and counts as no attempt', async () => {
  rollDice('row 24');
  tool = await startHeldTool();
  tool.holds = true;
  const home = homeWith({ grace: '2s' });
  const options = { home, workers: 2, args: ['--concurrency', '25'] };
  pao = await startPao(options);
  await tool.addTo(pao);
  const quick = await createTask(pao, 'quick', {
    pipeline: [{ id: 'one', uses: 'probe.read', with: { call: '${run.id}' } }],
  });
  const runs: string[] = [];
  for (let index = 0; index < 50; index++) runs.push((await runTask(pao, quick)) as string);
  await until('all to be under way', () => tool.requests.length === 50);
  // Half of the answers come while it stops.
  tool.onCall = (_call, answer) => answer();
  const stopping = pao.stop();
  tool.releaseSome(25);
  await stopping;
  expect(pao.output()).toMatch(/Stopped in .*: 25 runs finished while stopping, 25 left for the next start/);
  pao = await startPao(options);
  for (const run of runs) expect(await ended(pao, run)).toMatchObject({ status: 'succeeded', attempt: 1 });
  expect(tool.requests).toHaveLength(50 + 25);
  expect(await checkHistory(home, { runs })).toEqual([]);
});
