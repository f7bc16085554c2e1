import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openStore } from '../../../src/server/store/open.js';
import { loadDriver } from '../../../src/server/store/sqlite/open.js';
import type { RunStatus } from '../../../src/domain/run.js';
import { seed, T0 } from '../../contract/fixtures.js';

test('who looks for runs that failed reads those, not all that were skipped', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'pao-trouble-'));
  const path = join(directory, 'orchestrator.db');
  const store = await openStore({ url: `sqlite:${path}` });
  await store.migrate(T0);
  const { task } = await seed(store);
  const Driver = loadDriver();
  const database = new Driver(path, { readonly: true });
  const planOf = async (statuses: RunStatus[], taskId?: string) => {
    const prepare = vi.spyOn(Driver.prototype, 'prepare');
    await store.listRuns({ statuses, taskId, limit: 200 });
    const sql = prepare.mock.calls.map(([text]) => text).find((text) => text.includes('ORDER BY run.seq'));
    prepare.mockRestore();
    const bound = Array.from({ length: (sql as string).split('?').length - 1 }, () => null);
    const rows = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all(...bound) as { detail: string }[];
    return rows.map(({ detail }) => detail).join('\n');
  };
  for (const statuses of [
    ['failed', 'dead'],
    ['partial', 'failed', 'dead', 'canceled'],
  ] as RunStatus[][]) {
    expect(await planOf(statuses)).toContain('run_trouble');
    expect(await planOf(statuses, task.id)).toContain('run_task ');
  }
  expect(await planOf(['failed', 'missed'])).toContain('run_exception');
  database.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});
