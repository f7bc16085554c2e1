import { notFound } from '../../../domain/errors.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type HookRow, hookNameTaken, SELECT_HOOK, toHook } from '../sqlite/hooks.js';
import type { HookStore } from '../store.js';
import type { PostgresDatabase } from './database.js';
import { violatedConstraint } from './errors.js';

/** Inbound webhooks. */
export function hookMethods(database: PostgresDatabase): HookStore {
  return {
    async createHook(hook) {
      let written: number;
      try {
        written = await database.run(
          `INSERT INTO hook (id, agent_seq, name, topic, scheme, secret, old_secret, old_secret_until, created_at, updated_at,
              allow_repeats)
            SELECT $1, seq, $2, $3, $4, $5, $6, pao_at($7), pao_at($8), pao_at($9), $11 FROM agent WHERE id = $10`,
          [
            hook.id,
            hook.name,
            hook.topic,
            hook.scheme,
            hook.secret,
            hook.oldSecret,
            hook.oldSecretUntil,
            hook.createdAt,
            hook.updatedAt,
            hook.agentId,
            hook.allowRepeats,
          ],
        );
      } catch (error) {
        if (violatedConstraint(error) === 'hook_name') throw hookNameTaken(hook.name);
        throw error;
      }
      if (written === 0) throw notFound('agent', hook.agentId, ['pao agent list']);
    },

    async getHook(id) {
      const [row] = await database.read<HookRow>(`${SELECT_HOOK} WHERE hook.id = $1`, [id]);
      return row === undefined ? null : toHook(row);
    },

    async listHooks({ agentId, limit, cursor }) {
      const rows = await database.read<HookRow>(
        `${SELECT_HOOK} WHERE hook.seq < $1 AND ($2::text IS NULL OR agent.id = $2) ORDER BY hook.seq DESC LIMIT $3`,
        [
          cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
          agentId ?? null,
          limit + 1,
        ],
      );
      const items = rows.slice(0, limit);
      return {
        items: items.map(toHook),
        nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as HookRow).seq) : null,
      };
    },

    updateHook: async (hook) =>
      (await database.run(
        `UPDATE hook SET secret = $2, old_secret = $3, old_secret_until = pao_at($4), updated_at = pao_at($5)
          WHERE id = $1`,
        [hook.id, hook.secret, hook.oldSecret, hook.oldSecretUntil, hook.updatedAt],
      )) === 1,

    async touchHook(id, now) {
      await database.run('UPDATE hook SET last_received_at = pao_at($2) WHERE id = $1', [id, now]);
    },

    deleteHook: async (id) => (await database.run('DELETE FROM hook WHERE id = $1', [id])) === 1,
  };
}
