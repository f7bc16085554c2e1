import { isSettled, type NewDelivery } from '../../../domain/delivery.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import { type DeliveryRow, toDelivery } from '../sqlite/delivery-rows.js';
import { toJson } from '../sqlite/json-column.js';
import type { DeliveryStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';

/** Messages on their way. */
export function deliveryMethods(database: PostgresDatabase): DeliveryStore {
  const find = async (sql: Sql, where: string, ...values: string[]) => {
    const row = await sql.row<DeliveryRow>(`SELECT * FROM outbox WHERE ${where}`, values);
    return row === undefined ? null : toDelivery(row);
  };
  return {
    enqueueDeliveries: (deliveries) =>
      database.transaction(async (sql) => ({ written: await insertDeliveries(sql, deliveries) })),

    getDelivery: (id) => database.patiently(() => find(database, 'id = $1', id)),

    findDelivery: (agentId, key) =>
      database.patiently(() => find(database, 'agent_id = $1 AND key = $2', agentId, key)),

    async listDeliveries({ agentId, runIds, statuses, channel, limit, cursor }) {
      const rows = await database.read<DeliveryRow>(
        `SELECT * FROM outbox WHERE seq < $1 AND ($2::text IS NULL OR agent_id = $2)
          AND ($3::text[] IS NULL OR run_id = ANY ($3)) AND ($4::text[] IS NULL OR status = ANY ($4))
          AND ($5::text IS NULL OR channel = $5) ORDER BY seq DESC LIMIT $6`,
        [
          cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
          agentId ?? null,
          runIds ?? null,
          statuses ?? null,
          channel ?? null,
          limit + 1,
        ],
      );
      const items = rows.slice(0, limit);
      return {
        items: items.map(toDelivery),
        nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as DeliveryRow).seq) : null,
      };
    },

    async dueDeliveries({ now, limit }) {
      const rows = await database.read<DeliveryRow>(
        'SELECT * FROM outbox WHERE due_at <= pao_at($1) ORDER BY due_at, seq LIMIT $2',
        [now, limit],
      );
      return rows.map(toDelivery);
    },

    async nextDeliveryAt() {
      const [row] = await database.read<{ at: number | null }>(
        `SELECT least((SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL),
          (SELECT min(lease_expires_at) FROM outbox WHERE lease_expires_at IS NOT NULL)) AS at`,
      );
      return row?.at ?? null;
    },

    beginDeliveries: ({ wanted, owner, now, leaseMs }) =>
      database.transaction(async (sql) => {
        // Held in one order, so that of two that want the same ones one gets all of them.
        await sql.rows('SELECT FROM outbox WHERE id = ANY ($1) ORDER BY seq FOR UPDATE', [
          wanted.map(({ id }) => id),
        ]);
        const rows = await sql.rows<{ id: string; lease_token: number }>(
          `UPDATE outbox SET status = 'sending', reason = NULL, attempts = attempts + 1, due_at = NULL,
              lease_token = outbox.lease_token + 1, lease_owner = $4, lease_expires_at = pao_at($6),
              repeatable = one.repeatable, updated_at = pao_at($5)
            FROM unnest($1::text[], $2::integer[], $3::boolean[]) AS one(id, lease_token, repeatable)
            WHERE outbox.id = one.id AND outbox.lease_token = one.lease_token AND due_at IS NOT NULL
            RETURNING outbox.id, outbox.lease_token`,
          [
            wanted.map(({ id }) => id),
            wanted.map(({ leaseToken }) => leaseToken),
            wanted.map(({ repeatable }) => repeatable),
            owner,
            now,
            now + leaseMs,
          ],
        );
        return rows.map((row) => ({ id: row.id, leaseToken: row.lease_token }));
      }),

    settleDeliveries: (outcomes, now) =>
      database.transaction(async (sql) => {
        const refused: string[] = [];
        for (const {
          id,
          leaseToken,
          status,
          reason,
          error,
          answer,
          dueAt,
          mergedInto,
          digestKey,
        } of outcomes) {
          const changes = await sql.run(
            `UPDATE outbox SET status = $3, reason = $4, error = $5, answer = $6, due_at = pao_at($7), merged_into = $8,
                lease_expires_at = NULL, updated_at = pao_at($9), finished_at = pao_at($10), digest_key = coalesce($11, digest_key)
              WHERE id = $1 AND lease_token = $2 AND (due_at IS NOT NULL OR lease_expires_at IS NOT NULL)`,
            [
              id,
              leaseToken,
              status,
              reason,
              toJson(error),
              toJson(answer),
              dueAt,
              mergedInto,
              now,
              isSettled(status) ? now : null,
              digestKey ?? null,
            ],
          );
          if (changes !== 1) refused.push(id);
        }
        return { refused };
      }),

    async reclaimDeliveries({ now, owner }) {
      const rows = await database.rows<{ id: string; status: string }>(
        `UPDATE outbox SET status = CASE WHEN repeatable THEN 'pending' ELSE 'unknown' END, reason = 'lease_lost',
            due_at = CASE WHEN repeatable THEN pao_at($1) END, lease_expires_at = NULL, lease_token = lease_token + 1,
            updated_at = pao_at($1), finished_at = CASE WHEN NOT repeatable THEN pao_at($1) END
          WHERE lease_expires_at IS NOT NULL AND (lease_owner = $2 OR ($2::text IS NULL AND lease_expires_at <= pao_at($1)))
          RETURNING id, status`,
        [now, owner ?? null],
      );
      const of = (wanted: string) => rows.filter(({ status }) => status === wanted).map(({ id }) => id);
      return { requeued: of('pending'), unknown: of('unknown') };
    },

    // Who looked at one by the old quiet times must not write what it found: the token changes.
    bringForward: ({ agentId, taskId, now }) =>
      database.transaction((sql) =>
        sql.run(
          `UPDATE outbox SET due_at = least(due_at, pao_at($1)), lease_token = lease_token + 1, updated_at = pao_at($1)
            WHERE due_at IS NOT NULL AND status = 'deferred' AND reason IN ('quiet_hours', 'vacation')
              AND ($2::text IS NULL OR agent_id = $2) AND ($3::text IS NULL OR task_id = $3)`,
          [now, agentId ?? null, taskId ?? null],
        ),
      ),

    resolveDelivery: ({ id, status, reason, now }) =>
      database.transaction(async (sql) => {
        const again = status === 'pending';
        const changes = await sql.run(
          `UPDATE outbox SET status = $2, reason = $3, due_at = pao_at($4), lease_token = lease_token + 1,
              updated_at = pao_at($5), finished_at = pao_at($6), merged_into = NULL
            WHERE id = $1 AND status <> 'sending' AND ($7::boolean OR due_at IS NOT NULL OR status = 'unknown')`,
          [id, status, reason, again ? now : null, now, again ? null : now, again],
        );
        const delivery = await find(sql, 'id = $1', id);
        return delivery === null ? null : { delivery, changed: changes === 1 };
      }),
  };
}

/** @returns ids of those written; the others have a key that is there already. */
export async function insertDeliveries(sql: Sql, deliveries: readonly NewDelivery[]): Promise<string[]> {
  const written: string[] = [];
  for (const one of deliveries) {
    const changes = await sql.run(
      `INSERT INTO outbox (id, agent_id, key, origin, task_id, run_id, step_id, channel, message, quiet_hours, urgent,
          digest_key, status, reason, due_at, created_at, updated_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, pao_at($15), pao_at($16), pao_at($16),
          pao_at($17))
        ON CONFLICT (agent_id, key) DO NOTHING`,
      [
        one.id,
        one.agentId,
        one.key,
        one.origin,
        one.taskId,
        one.runId,
        one.stepId,
        one.channel,
        JSON.stringify(one.message),
        one.quietHours,
        one.urgent,
        one.digestKey,
        one.status,
        one.reason,
        one.dueAt,
        one.createdAt,
        isSettled(one.status) ? one.createdAt : null,
      ],
    );
    if (changes === 1) written.push(one.id);
  }
  return written;
}
