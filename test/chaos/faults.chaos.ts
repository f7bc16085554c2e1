import { afterEach, expect, it } from 'vitest';
import { PaoError } from '../../src/domain/errors.js';
import { isFinal } from '../../src/domain/run.js';
import type { Store } from '../../src/server/store/store.js';
import { startTestSystem, type TestSystem } from '../server/a-system.js';
import { type Dice, rollDice, rounds } from './dice.js';

let system: TestSystem;
afterEach(() => system.close());

/** What is looked at by the test itself, and what a store never fails at. */
const UNHARMED = ['close', 'migrate', 'space', 'tendSpace'];

/**
 * A store of which a share of all calls fails: half of them before they did anything, half of them after it was done
 * (Temporal calls that ExecuteAndTimeout). `isOn` says whether it is bad just now.
 */
function unreliable(store: Store, dice: Dice, share: number, isOn: () => boolean): Store {
  const failed = () => new PaoError('PAO_STORE_IO', 'The disk failed (injected).', { status: 503 });
  const wrapped: Record<string, unknown> = { ...store };
  for (const [name, method] of Object.entries(store)) {
    if (typeof method !== 'function' || UNHARMED.includes(name)) continue;
    wrapped[name] = async (...given: unknown[]) => {
      if (!isOn() || !dice.chance(share)) return method(...given);
      if (dice.chance(0.5)) throw failed();
      await method(...given);
      throw failed();
    };
  }
  return wrapped as unknown as Store;
}

const step = (id: string, uses: string) => ({ id, uses, with: { text: '${run.id}' } });

it('row 5: every twentieth call of the store fails, before or after it was done; no run is lost or done twice', async () => {
  const dice = rollDice('row 5');
  const listeners = 50;
  const events = 200;
  let bad = true;
  const calls = new Map<string, number>();
  system = await startTestSystem({
    quiet: true,
    wrapStore: (store) => unreliable(store, dice, 0.05, () => bad),
    async callTool(tool, _input, { runId }) {
      const key = `${runId}/${tool.address}`;
      calls.set(key, (calls.get(key) ?? 0) + 1);
      return { output: 'done', durationMs: 0 };
    },
  });
  bad = false;
  for (const side_effect of ['read', 'once'] as const) {
    await system.addTool({
      address: `probe.${side_effect}`,
      title: 'Probe',
      description: 'Counts its calls',
      kind: 'http',
      side_effect,
      http: { url: 'http://localhost/' },
    });
  }
  for (let index = 0; index < listeners; index++) {
    // One in ten makes a call that must not be made twice.
    const uses = index % 10 === 0 ? 'probe.once' : 'probe.read';
    await system.addTask({
      name: `listener-${index}`,
      schedule: { kind: 'event', topic: 'go' },
      pipeline: [step('one', uses)],
    });
  }
  bad = true;
  system.scheduler.start();
  const workers = [1, 2].map(() => system.startWorker({ concurrency: 200 }));
  for (let index = 0; index < events; index++) {
    // A client that is told of a failure asks again with the same key.
    for (let taken = false; !taken; ) {
      taken = await system.store
        .publishEvent({
          id: `evt_${index}_${Math.random()}`,
          topic: 'go',
          payload: index,
          dedupeKey: `key-${index}`,
          agentId: system.agent.id,
          createdAt: system.clock.now(),
        })
        .then(
          () => true,
          () => false,
        );
    }
    system.bus.publish('schedule', { reason: 'event' });
  }
  const deadline = performance.now() + 100_000;
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    const { due, scheduled, leased, undispatchedEvents } = await system.reliableStore.stats(
      system.clock.now(),
    );
    if (due + scheduled + leased + undispatchedEvents === 0) break;
    if (performance.now() > deadline) throw new Error(JSON.stringify({ due, scheduled, leased }));
    // What is leased and not held by any worker was leased in an answer that never came: it runs out.
    if (workers.every((worker) => worker.held().length === 0)) system.clock.advance(16_000);
  }
  bad = false;
  const outcomes: Record<string, number> = {};
  let runs = 0;
  let cursor: string | undefined;
  do {
    const page = await system.reliableStore.listRuns({ limit: 1000, cursor });
    for (const run of page.items) {
      runs += 1;
      expect(isFinal(run.status)).toBe(true);
      const how = run.reason === null ? run.status : `${run.status}: ${run.reason}`;
      outcomes[how] = (outcomes[how] ?? 0) + 1;
      if (run.status === 'succeeded') {
        const made = ['read', 'once'].map((tool) => calls.get(`${run.id}/probe.${tool}`) ?? 0);
        expect(made[0] as number).toBe(made[1] === 0 ? 1 : 0);
        expect(made[1]).toBeLessThanOrEqual(1);
      }
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  console.log(`row 5: ${runs} runs, ${JSON.stringify(outcomes)}`);
  expect(runs).toBe(listeners * events);
  for (const [call, times] of calls) if (call.endsWith('once')) expect([call, times]).toEqual([call, 1]);
  // Three answers lost in a row for the same run look like three dead workers: about one in ten thousand.
  const good = (outcomes.succeeded ?? 0) + (outcomes['partial: unknown_outcome'] ?? 0);
  expect(runs - good).toBeLessThanOrEqual(10);
});

it('row 16: the clock jumps ahead, back, over a change of daylight saving time and a leap day; nothing fires twice, nothing floods', async () => {
  const dice = rollDice('row 16');
  const ran: string[] = [];
  system = await startTestSystem({
    start: '2027-03-27T22:30:00Z',
    async callTool(_tool, _input, { runId }) {
      ran.push(runId as string);
      return { output: null, durationMs: 0 };
    },
  });
  await system.addTool({
    address: 'probe.read',
    title: 'Probe',
    description: 'Counts its calls',
    kind: 'http',
    http: { url: 'http://localhost/' },
  });
  const cron = (name: string, expr: string, timezone: string) =>
    system.addTask({
      name,
      schedule: { kind: 'cron', expr, timezone },
      pipeline: [step('one', 'probe.read')],
    });
  const tasks = [
    await cron('half-hourly', '*/30 * * * *', 'UTC'),
    await cron('nightly', '30 2 * * *', 'Europe/Chisinau'),
    await cron('leap', '0 12 29 2 *', 'America/New_York'),
    await cron('hourly', '15 * * * *', 'Australia/Lord_Howe'),
  ];
  const worker = system.startWorker({ concurrency: 8 });
  const settle = async () => {
    await system.scheduler.runOnce();
    worker.wake();
    for (;;) {
      const { due, leased } = await system.store.stats(system.clock.now());
      if (due + leased === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const hour = 3_600_000;
  const jumps = [2 * hour, -hour, 3 * hour, -2 * hour, 26 * hour];
  for (let jump = 0; jump < rounds(40, 2000); jump++) {
    jumps.push(dice.pick([60_000, 90_000, hour, -hour, -5 * 60_000, 7 * hour, 25 * hour, -26 * hour]));
  }
  await settle();
  const leapDays = [2028, 2032, 2036, 2040].map((year) => Date.parse(`${year}-02-29T20:00:00Z`));
  for (const next of [...jumps, 'leap day'] as const) {
    const before = ran.length;
    const leapDay = leapDays.find((at) => at > system.clock.now()) as number;
    const jump = next === 'leap day' ? leapDay - system.clock.now() : next;
    system.clock.set(system.clock.now() + jump);
    await settle();
    // However far it jumped: each task is caught up at most once, besides what is due at this very moment.
    expect(ran.length - before).toBeLessThanOrEqual(2 * tasks.length);
    if (jump < 0) expect(ran.length).toBe(before);
  }
  for (const task of tasks) {
    const seen = new Set<number>();
    let cursor: string | undefined;
    do {
      const page = await system.store.listRuns({ taskId: task.id, limit: 1000, cursor });
      for (const run of page.items) {
        expect(seen.has(run.scheduledFor)).toBe(false);
        seen.add(run.scheduledFor);
      }
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen.size).toBeGreaterThan(0);
  }
  expect(new Set(ran).size).toBe(ran.length);
});
