import { newId } from '../../domain/ids.js';
import { recurrenceOf } from '../../domain/recurrence-of.js';
import { taskSpecSchema } from '../../domain/task.js';
import { SQLITE_MIGRATIONS } from '../store/sqlite/migrate.js';
import { openConnection } from '../store/sqlite/open.js';
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
  } finally {
    await store.close();
  }
  const agentId = newId('agt', now);
  const scopes = JSON.stringify(['tasks:read', 'tasks:write', 'tool:*']);
  const spec = taskSpecSchema.parse({
    name: 'from-the-old-days',
    schedule: { kind: 'cron', expr: '0 9 1 1 *', timezone: 'UTC' },
    pipeline: [{ id: 'echo', uses: 'debug.echo' }],
  });
  const taskId = newId('tsk', now);
  const nextDueAt = recurrenceOf(spec.schedule as never).next(now) as number;
  // Not through the store: that one writes the columns of today.
  const { raw } = openConnection({ path, durability: 'full', readonly: false });
  try {
    raw
      .prepare('INSERT INTO agent (id, name, scopes, created_at, updated_at) VALUES (?, ?, ?, ?, ?)')
      .run(agentId, 'veteran', scopes, now, now);
    raw
      .prepare(`INSERT INTO task (id, agent_seq, name, search_text, version, state, scopes, timed, next_due_at, created_by,
          created_at, updated_at)
        SELECT ?, seq, ?, ?, 1, 'active', ?, 1, ?, ?, ?, ? FROM agent WHERE id = ?`)
      .run(taskId, spec.name, spec.name, scopes, nextDueAt, `agent:${agentId}`, now, now, agentId);
    raw
      .prepare(`INSERT INTO task_version (task_seq, version, spec, changed_by, changed_at)
        SELECT seq, 1, ?, ?, ? FROM task WHERE id = ?`)
      .run(JSON.stringify(spec), `agent:${agentId}`, now, taskId);
    return { version: 1, taskId, nextDueAt };
  } finally {
    raw.close();
  }
}
