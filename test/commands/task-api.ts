import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentObserver } from '../../src/domain/observability/observer.js';
import { Redactor } from '../../src/domain/redact.js';
import { ToolError } from '../../src/domain/tool-error.js';
import { openBudgets } from '../../src/server/budget/open-budgets.js';
import { configSchema } from '../../src/server/config.js';
import { bootstrapAdmin } from '../../src/server/api/bootstrap-admin.js';
import { createApi } from '../../src/server/api/create-api.js';
import { createEventPublisher } from '../../src/server/event-publisher.js';
import type { ServiceInit } from '../../src/server/supervisor/service-messages.js';
import { createHealth } from '../../src/server/telemetry/health.js';
import { silentLogger } from '../../src/server/telemetry/logger.js';
import { createMetrics } from '../../src/server/telemetry/metrics.js';
import { builtinTools } from '../../src/server/tools/builtin-tools.js';
import { startTestSystem, type TestSystem } from '../server/a-system.js';
import { type CommandEnd, type CommandSituation, runCommand } from './run-command.js';

/** The real API on a free port over a real store and worker, and commands that talk to it. */
export interface TaskApi {
  /** Where task files are written and commands run. */
  folder: string;
  system: TestSystem;
  /** Lets the calls of `test.hold` end. */
  release(): void;
  run(id: string, argv: string[], situation?: CommandSituation): Promise<CommandEnd>;
  close(): Promise<void>;
}

export async function startTaskApi(): Promise<TaskApi> {
  const folder = mkdtempSync(join(tmpdir(), 'pao-task-commands-'));
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const system = await startTestSystem({
    start: new Date().toISOString(),
    builtin: builtinTools,
    async callTool(tool, input, { signal }) {
      if (tool.address === 'test.fail') throw new ToolError('config_error', 'The tool said no.');
      if (tool.address === 'test.hold') {
        const cutOff = new Promise((done) => signal.addEventListener('abort', done, { once: true }));
        await Promise.race([held, cutOff]);
        if (signal.aborted) throw new ToolError('canceled', 'The call was canceled.');
      }
      return { output: input, durationMs: 1 };
    },
  });
  for (const address of ['test.fail', 'test.hold']) {
    await system.addTool({
      address,
      title: address,
      kind: 'http',
      side_effect: 'read',
      input_schema: {},
      http: { method: 'GET', url: 'https://example.org/' },
    });
  }
  system.startWorker();
  const { store, bus } = system;
  const clock = { now: () => system.clock.now(), monotonic: () => performance.now() };
  const token = (await bootstrapAdmin({ store, clock, hasCredentials: false })) as string;
  const config = configSchema.parse({ port: 0 });
  const shared = { store, bus, clock, logger: silentLogger, config, version: '0.0.0' };
  const api = await createApi({
    ...shared,
    health: createHealth({ ...shared, home: folder, startedAt: clock.now(), fallbacks: [] }),
    metrics: await createMetrics({ ...shared, workersDesired: 1 }),
    redactor: new Redactor(),
    budgets: openBudgets({
      ...shared,
      observer: silentObserver,
      init: { config, home: folder } as ServiceInit,
    }),
    builtinTools,
    publishEvent: createEventPublisher(shared),
    callTool: async (_tool, input) => ({ output: input, durationMs: 0 }),
    importCatalog: async () => ({ tools: [], problems: [] }),
  });
  const { url } = await api.listen({ host: '127.0.0.1', port: 0 });
  return {
    folder,
    system,
    release: () => release(),
    run: (id, argv, situation = {}) =>
      runCommand(id, [...argv, '--url', url], {
        cwd: folder,
        ...situation,
        env: { PAO_TOKEN: token, ...situation.env },
      }),
    async close() {
      release();
      await api.close();
      await system.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
