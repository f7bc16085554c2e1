import { conflict, notFound } from '../../../domain/errors.js';
import type { Hook, HookScheme } from '../../../domain/hook.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { HookStore } from '../store.js';
import type { SqliteDatabase } from './database.js';
import { isConstraint } from './errors.js';

/** A row of `hook` with the id of its agent. */
export interface HookRow {
  seq: number;
  id: string;
  agent_id: string;
  name: string;
  topic: string;
  scheme: HookScheme;
  secret: string;
  old_secret: string | null;
  old_secret_until: number | null;
  allow_repeats: number | boolean;
  created_at: number;
  updated_at: number;
  last_received_at: number | null;
}

/** Hooks with the id of their agent; to be followed by WHERE. */
export const SELECT_HOOK =
  'SELECT hook.*, agent.id AS agent_id FROM hook JOIN agent ON agent.seq = hook.agent_seq';

/** The hook that a row describes. */
export function toHook(row: HookRow): Hook {
  return {
    id: row.id,
    agentId: row.agent_id,
    name: row.name,
    topic: row.topic,
    scheme: row.scheme,
    secret: row.secret,
    oldSecret: row.old_secret,
    oldSecretUntil: row.old_secret_until,
    allowRepeats: Boolean(row.allow_repeats),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastReceivedAt: row.last_received_at,
  };
}

/** The answer when an agent has a hook of that name. */
export const hookNameTaken = (name: string) =>
  conflict(`The agent has a hook "${name}" already.`, [`pao hook show ${name}`, `pao hook rotate ${name}`]);

/** Inbound webhooks. */
export function hookMethods(database: SqliteDatabase): HookStore {
  return {
    createHook: async (hook) => {
      try {
        await database.write((connection) => {
          const written = connection
            .sql(`INSERT INTO hook (id, agent_seq, name, topic, scheme, secret, old_secret, old_secret_until, created_at,
                updated_at, allow_repeats) SELECT ?, seq, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM agent WHERE id = ?`)
            .run(
              hook.id,
              hook.name,
              hook.topic,
              hook.scheme,
              hook.secret,
              hook.oldSecret,
              hook.oldSecretUntil,
              hook.createdAt,
              hook.updatedAt,
              hook.allowRepeats ? 1 : 0,
              hook.agentId,
            );
          if (written.changes === 0) throw notFound('agent', hook.agentId, ['pao agent list']);
        });
      } catch (error) {
        if (isConstraint(error)) throw hookNameTaken(hook.name);
        throw error;
      }
    },

    getHook: (id) =>
      database.read((connection) => {
        const row = connection.sql(`${SELECT_HOOK} WHERE hook.id = ?`).get(id) as HookRow | undefined;
        return row === undefined ? null : toHook(row);
      }),

    listHooks: ({ agentId, limit, cursor }) =>
      database.read((connection) => {
        const rows = connection
          .sql(
            `${SELECT_HOOK} WHERE hook.seq < ? AND (? IS NULL OR agent.id = ?) ORDER BY hook.seq DESC LIMIT ?`,
          )
          .all(
            cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
            agentId ?? null,
            agentId ?? null,
            limit + 1,
          ) as HookRow[];
        const items = rows.slice(0, limit);
        return {
          items: items.map(toHook),
          nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as HookRow).seq) : null,
        };
      }),

    updateHook: (hook) =>
      database.write(
        (connection) =>
          connection
            .sql(
              'UPDATE hook SET secret = ?, old_secret = ?, old_secret_until = ?, updated_at = ? WHERE id = ?',
            )
            .run(hook.secret, hook.oldSecret, hook.oldSecretUntil, hook.updatedAt, hook.id).changes === 1,
      ),

    touchHook: (id, now) =>
      database.write(
        (connection) => void connection.sql('UPDATE hook SET last_received_at = ? WHERE id = ?').run(now, id),
      ),

    deleteHook: (id) =>
      database.write((connection) => connection.sql('DELETE FROM hook WHERE id = ?').run(id).changes === 1),
  };
}
