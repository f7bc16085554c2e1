import { newId } from '../../domain/ids.js';
import { recurrenceOf } from '../../domain/recurrence-of.js';
import { taskSpecSchema } from '../../domain/task.js';
import { SQLITE_MIGRATIONS } from '../store/sqlite/migrate.js';
import { openSqliteStore } from '../store/sqlite/sqlite-store.js';

/** What an old database holds, so that it can be looked for after a migration. */
export interface OldDatabase {
  /** The version its schema has. */
  version: number;
  taskId: string;
  /** Epoch milliseconds. */
  nextDueAt: number;
}

/**
 * Writes a database as the first version of pao left it, with one task in it: what an upgrade has to bring up to date.
 * @param path where; nothing may be there.
 * @param now epoch milliseconds.
 */
export async function writeOldDatabase(path: string, now: number): Promise<OldDatabase> {
  const store = await openSqliteStore(
    { path, durability: 'full', readonly: false },
    SQLITE_MIGRATIONS.slice(0, 1),
  );
  try {
    await store.migrate(now);
    const agentId = newId('agt', now);
    const scopes = ['tasks:read', 'tasks:write', 'tool:*'];
    await store.createAgent(
      {
        id: agentId,
        name: 'veteran',
        title: null,
        scopes,
        budget: null,
        disabledAt: null,
        createdAt: now,
        updatedAt: now,
      },
      null,
    );
    const spec = taskSpecSchema.parse({
      name: 'from-the-old-days',
      schedule: { kind: 'cron', expr: '0 9 1 1 *', timezone: 'UTC' },
      pipeline: [{ id: 'echo', uses: 'debug.echo' }],
    });
    const taskId = newId('tsk', now);
    const nextDueAt = recurrenceOf(spec.schedule as never).next(now) as number;
    await store.createTask({
      id: taskId,
      agentId,
      name: spec.name,
      version: 1,
      state: 'active',
      stateReason: null,
      spec,
      scopes,
      nextDueAt,
      snoozedUntil: null,
      lastRunAt: null,
      memory: null,
      createdBy: `agent:${agentId}`,
      createdAt: now,
      updatedAt: now,
    });
    return { version: 1, taskId, nextDueAt };
  } finally {
    await store.close();
  }
}
