import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { buildIfStale } from '../../scripts/build.mjs';
import type { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import {
  BRIEFING_AT,
  BRIEFING_SECRETS,
  type BriefingWorld,
  startBriefingWorld,
} from '../../src/checks/final-validation/briefing-world.js';
import { finalValidation } from '../../src/checks/final-validation/suite.js';
import type { World } from '../../src/checks/final-validation/world.js';
import type { RunObject } from '../../src/client/api-objects.js';
import { root } from '../cli/a-process.js';
import { sabotage } from './sabotage.js';
import { type SabotageProxy, startSabotageProxy, withBody } from './sabotage-proxy.js';

const suite = finalValidation('full', true);
let briefing: BriefingWorld;
let proxy: SabotageProxy;

beforeAll(async () => {
  await buildIfStale();
  briefing = await startBriefingWorld({ packageRoot: root, signal: new AbortController().signal });
  proxy = await startSabotageProxy(briefing.system.url);
});
afterAll(async () => {
  await proxy?.close();
  await briefing?.close();
});
afterEach(() => proxy.mend());

/** The world of the briefing, its system seen through the proxy, with something about it changed. */
function aWorld(changes: Partial<BriefingWorld> = {}, patienceMs = 20_000): World {
  const { system } = briefing;
  const seen = {
    url: proxy.url,
    token: system.token,
    home: system.home,
    output: system.output,
    advance: (ms: number) => system.advance(ms),
  } as unknown as EphemeralSystem;
  const changed = { ...briefing, system: seen, ...changes };
  return { patienceMs, briefing: async () => changed } as unknown as World;
}

const RUN = /^GET \/v1\/runs\/run_/;
const RUNS = /^GET \/v1\/runs\?/;

sabotage(suite, 'briefing.delivered', 'a message that does not arrive', async (fails) => {
  briefing.telegram.faults.always({ kind: 'respond', status: 400, body: { ok: false } });
  await fails(aWorld(), /What became of the message .*failed/, { timeoutMs: 60_000 });
  briefing.telegram.faults.clear();
  // What the other tests look at: the same morning, as it should have been.
  briefing.telegram.requests.length = 0;
  briefing.chat.requests.length = 0;
  briefing.mail.calls.length = 0;
  const { client } = briefing.system;
  const { id } = await client.runTask(briefing.task.id);
  const run = await client.waitForRun(id, { timeoutMs: 30_000 });
  if (run.status !== 'succeeded') throw new Error(`The briefing did not succeed: ${JSON.stringify(run)}`);
  briefing.run = { ...run, scheduled_for: BRIEFING_AT, trigger: 'schedule', attempt: 1 };
});

sabotage(suite, 'briefing.once', 'a second run of the same morning', async (fails) => {
  proxy.break(
    RUNS,
    withBody<{ items: object[] }>((page) => ({ ...page, items: [{}, {}] })),
  );
  await fails(aWorld(), /The number of runs is 2, expected 1/);
});

sabotage(suite, 'briefing.calendar', 'the calendar of another day, and an event too many', async (fails) => {
  await fails(aWorld({ calendarCalls: () => [{ start: '2026-11-23' }] }), /What the calendar was asked/);
  const asked = { start: '2026-11-24T00:00:00+02:00', end: '2026-11-25T00:00:00+02:00', max: 50 };
  const late = { summary: 'Late call US', start: '2026-11-24T22:30:00Z', all_day: false };
  const run = {
    ...briefing.run,
    steps: briefing.run?.steps?.map((step) =>
      step.id === 'cal' ? { ...step, output: { items: [late] } } : step,
    ),
  } as RunObject;
  await fails(aWorld({ calendarCalls: () => [asked], run }), /The events is \[\["Late call US"/);
});

sabotage(
  suite,
  'briefing.model',
  'a prompt that lost the weather, and a model that is asked twice',
  async (fails) => {
    const [request] = briefing.chat.requests as [(typeof briefing.chat.requests)[number]];
    const without = { ...request, body: request.body.replaceAll('-4.8', '') };
    const asked = (requests: (typeof request)[]) => aWorld({ chat: { ...briefing.chat, requests } });
    await fails(asked([without]), /The prompt lost -4.8/);
    await fails(asked([request, request]), /How often the model was asked is 2/);
  },
);

sabotage(suite, 'briefing.secrets', 'a secret in a log', async (fails) => {
  mkdirSync(join(briefing.system.home, 'logs'), { recursive: true });
  writeFileSync(join(briefing.system.home, 'logs', 'leak.log'), `token=${BRIEFING_SECRETS.MAIL_TOKEN}`);
  await fails(aWorld(), /MAIL_TOKEN in leak.log/);
});

sabotage(suite, 'briefing.next', 'mornings that do not follow the clocks', async (fails) => {
  proxy.break(
    /occurrences/,
    withBody<{ items: { at: string }[] }>((page) => ({
      ...page,
      items: page.items.map(({ at }) => ({ at: at.replace('T05:', 'T06:') })),
    })),
  );
  await fails(aWorld(), /The next mornings/);
});

sabotage(suite, 'briefing.again', 'a second message on the same day', async (fails) => {
  const pipeline = briefing.spec.pipeline.map((step) => ({ ...step, idempotency_key: undefined }));
  await briefing.system.client.applyTask({ ...briefing.spec, pipeline });
  await fails(aWorld(), /The sending step is \["succeeded",null\]/);
});

sabotage(suite, 'time.missed', 'a late occurrence that is run all the same', async (fails) => {
  proxy.break(
    RUN,
    withBody<RunObject>((run) => ({ ...run, status: 'succeeded', reason: null })),
  );
  await fails(aWorld(), /What became of the occurrences is \["succeeded schedule"\]/);
});

sabotage(suite, 'time.caught_up', 'an occurrence that is left out', async (fails) => {
  proxy.rewrite(/^POST \/v1\/tasks$/, (task) => {
    task.schedule.catchup = { policy: 'skip' };
  });
  await fails(aWorld(), /What became of the occurrences is \["missed/);
});

sabotage(suite, 'time.latest', 'missed occurrences without a row', async (fails) => {
  proxy.break(
    RUNS,
    withBody<{ items: object[] }>((page) => ({ ...page, items: page.items.slice(0, 1) })),
  );
  await fails(aWorld({}, 2000), /Waited 2s for 3 runs of the task/);
});
