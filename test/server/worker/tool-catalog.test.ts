import { afterEach, expect, it } from 'vitest';
import { ToolCatalog } from '../../../src/server/worker/tool-catalog.js';
import { startTestSystem, type TestSystem } from '../a-system.js';

let system: TestSystem;
afterEach(() => system.close());

it('finds a tool that was added a moment ago, however young its copy is', async () => {
  system = await startTestSystem({ callTool: async () => ({ output: null, durationMs: 0 }) });
  const catalog = new ToolCatalog({
    store: system.store,
    builtin: [],
    monotonic: () => 0,
    maxAgeMs: Infinity,
  });
  await catalog.findNew('probe.read');
  await system.addTool({ address: 'probe.read', kind: 'builtin', builtin: { name: 'debug.echo' } });
  await catalog.refresh();
  expect(catalog.find('probe.read')).toBeNull();
  expect((await catalog.findNew('probe.read'))?.address).toBe('probe.read');
});
