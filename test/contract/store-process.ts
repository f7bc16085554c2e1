import { once } from 'node:events';
import { newId } from '../../src/domain/ids.js';
import { openStore } from '../../src/server/store/open.js';
import { endOf, everyRun, runOf, stepOf, T0, taskOf } from './fixtures.js';

/*
 * One of several processes on one database: `store-process.ts ROLE URL JSON`. It says `ready`, waits for a line on
 * stdin, works, and writes one JSON line for each thing that the store has acknowledged.
 */

const [role, url, json] = process.argv.slice(2) as [string, string, string];
const options = JSON.parse(json ?? '{}') as { id?: string; taskId?: string; until?: number; most?: number };
const store = await openStore({ url });
const say = (value: unknown) => process.stdout.write(`${JSON.stringify(value)}\n`);

const roles: Record<string, () => Promise<void>> = {
  async work() {
    const workerId = options.id as string;
    for (;;) {
      const leased = await store.lease({ workerId, now: T0, limit: 7, leaseMs: 15_000, tags: [] });
      if (leased.length === 0) return;
      const { fenced } = await store.complete(
        leased.map((one) => endOf(one, { steps: [stepOf()] })),
        T0,
      );
      say({ done: leased.map(({ run }) => run.id), fenced });
    }
  },
  async schedule() {
    const decide = everyRun(60_000);
    for (;;) {
      const result = await store.scheduleDue({ now: options.until as number, limit: 5, decide });
      if (result.tasks === 0) return;
      say({ queued: result.queued, duplicates: result.duplicates });
    }
  },
  /** Ten at once, of which the agent may have a part. */
  async create() {
    const agent = await store.getAgent(options.id as string);
    if (agent === null) throw new Error('no such agent');
    const made = await Promise.all(
      Array.from({ length: 10 }, () =>
        store.createTask(taskOf(agent, { name: newId('tsk', T0).replace('_', '-') }), options.most),
      ),
    );
    say({ made: made.filter(Boolean).length });
  },
  /** Until it is killed: writes in all the ways that are acknowledged, several at once. */
  async write() {
    const taskId = options.taskId as string;
    const lane = async () => {
      for (;;) {
        const run = await store.createRun({ taskId, run: runOf({ id: newId('run', T0) }), now: T0 });
        say({ run: run.id });
        const { event } = await store.publishEvent({
          id: newId('evt', T0),
          topic: 'a',
          payload: null,
          dedupeKey: null,
          agentId: 'a',
          createdAt: T0,
          traceId: null,
        });
        say({ event: event.id });
        const [leased] = await store.lease({ workerId: 'w', now: T0, limit: 1, leaseMs: 15_000, tags: [] });
        if (leased === undefined) continue;
        const { runId, leaseToken } = { runId: leased.run.id, leaseToken: leased.leaseToken };
        await store.recordSteps([{ runId, leaseToken, steps: [stepOf()] }], T0);
        say({ step: runId });
        await store.complete([endOf(leased)], T0);
        say({ end: runId });
      }
    };
    await Promise.all(Array.from({ length: 8 }, lane));
  },
};

say('ready');
await once(process.stdin, 'data');
await roles[role]?.();
await store.close();
process.exit(0);
