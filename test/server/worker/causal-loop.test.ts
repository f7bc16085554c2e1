import { expect, it } from 'vitest';
import { Redactor } from '../../../src/domain/redact.js';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { publishFromCalls } from '../../../src/server/calls-inside.js';
import { createEventPublisher } from '../../../src/server/event-publisher.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { createToolCallers } from '../../../src/server/tools/tool-callers.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

it('a task that triggers itself ends after a bounded chain, with a row that says loop', async () => {
  const place: { system?: TestSystem } = {};
  const redactor = new Redactor();
  const callers = createToolCallers({
    clock: { now: () => place.system?.clock.now() ?? 0, monotonic: () => performance.now() },
    secrets: { resolve: async () => '' },
    redactor,
    publish: (event, context) => {
      const { store, bus, clock } = place.system as TestSystem;
      const publish = createEventPublisher({ store, bus, clock, logger: silentLogger });
      return publishFromCalls(store, publish)(event, context);
    },
  });
  const system = await startTestSystem({
    callTool: (tool, input, context) => callers.call(tool, input, context),
    builtin: builtinTools,
  });
  place.system = system;
  try {
    const { store, scheduler } = system;
    const task = await system.addTask({
      name: 'ouroboros',
      schedule: { kind: 'event', topic: 'again' },
      pipeline: [{ id: 'tell', uses: 'event.publish', with: { topic: 'again', payload: '${run.id}' } }],
    });
    system.startWorker();
    const first = await system.runNow(task);
    await system.until(first.id, 'succeeded');
    for (let pass = 0; pass < 30; pass += 1) {
      await scheduler.runOnce();
      const queued = (await system.runs(task)).filter(({ finishedAt }) => finishedAt === null);
      for (const run of queued) await system.until(run.id, 'succeeded');
    }
    const runs = await system.runs(task);
    expect(runs.filter(({ status }) => status === 'succeeded')).toHaveLength(17);
    const ended = runs.filter(({ status }) => status === 'skipped');
    expect(ended.map(({ reason }) => reason)).toEqual(['loop']);
    const last = await store.getEvent(ended[0]?.eventId as string);
    expect([last?.depth, last?.agentId]).toEqual([17, system.agent.id]);
    // A step that is tried again publishes once.
    const events = (await store.listEvents({ topic: 'again', limit: 100 })).items;
    expect(events).toHaveLength(17);
    expect(events.every(({ causeRunId, payload }) => causeRunId === payload)).toBe(true);
  } finally {
    await system.close();
    await callers.close();
  }
});
