import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { type LiveSystem, liveSystem } from '../../src/checks/live-system.js';
import { testSystem } from '../../src/checks/test-system/suite.js';
import { buildIfStale } from '../../scripts/build.mjs';
import { sabotage } from './sabotage.js';
import { type SabotageProxy, startSabotageProxy, withStatus } from './sabotage-proxy.js';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));
let system: EphemeralSystem;
let proxy: SabotageProxy;
let live: LiveSystem;

beforeAll(async () => {
  await buildIfStale();
  system = await EphemeralSystem.start({ packageRoot, signal: new AbortController().signal });
  proxy = await startSabotageProxy(system.url);
  live = liveSystem(proxy.url, system.token, system);
});
afterAll(async () => {
  await proxy?.close();
  await system?.dispose();
});
afterEach(() => proxy.mend());

sabotage(testSystem, 'health.live', 'a process that does not say it lives', async (fails) => {
  proxy.break('GET /health/live', withStatus(500));
  await fails(live, /answered 500, expected 200/);
});

sabotage(testSystem, 'health.ready', 'a system that is not ready', async (fails) => {
  proxy.break('GET /health/ready', withStatus(503));
  await fails(live, /answered 503, expected 200/);
});
