import { isSettled, type NewDelivery } from '../../../domain/delivery.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { DeliveryStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';
import { type DeliveryRow, toDelivery } from './delivery-rows.js';
import { toJson } from './json-column.js';

/** Messages on their way. */
export function deliveryMethods(database: SqliteDatabase): DeliveryStore {
  const find = (connection: Connection, where: string, ...values: string[]) => {
    const row = connection.sql(`SELECT * FROM outbox WHERE ${where}`).get(...values) as
      | DeliveryRow
      | undefined;
    return row === undefined ? null : toDelivery(row);
  };
  return {
    enqueueDeliveries: (deliveries) =>
      database.write((connection) => ({ written: insertDeliveries(connection, deliveries) })),

    getDelivery: (id) => database.read((connection) => find(connection, 'id = ?', id)),

    findDelivery: (agentId, key) =>
      database.read((connection) => find(connection, 'agent_id = ? AND key = ?', agentId, key)),

    listDeliveries: ({ agentId, runIds, statuses, channel, limit, cursor }) =>
      database.read((connection) => {
        const where = ['seq < ?'];
        const values: (string | number)[] = [
          cursor === undefined ? Number.MAX_SAFE_INTEGER : decodeNumberCursor(cursor),
        ];
        const oneOf = (column: string, wanted: readonly string[] | undefined) => {
          if (wanted === undefined) return;
          where.push(`${column} IN (SELECT value FROM json_each(?))`);
          values.push(JSON.stringify(wanted));
        };
        oneOf('run_id', runIds);
        oneOf('status', statuses);
        oneOf('agent_id', agentId === undefined ? undefined : [agentId]);
        oneOf('channel', channel === undefined ? undefined : [channel]);
        const rows = connection
          .sql(`SELECT * FROM outbox WHERE ${where.join(' AND ')} ORDER BY seq DESC LIMIT ?`)
          .all(...values, limit + 1) as DeliveryRow[];
        const items = rows.slice(0, limit);
        return {
          items: items.map(toDelivery),
          nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as DeliveryRow).seq) : null,
        };
      }),

    dueDeliveries: ({ now, limit }) =>
      database.read((connection) =>
        (
          connection
            .sql('SELECT * FROM outbox WHERE due_at <= ? ORDER BY due_at, seq LIMIT ?')
            .all(now, limit) as DeliveryRow[]
        ).map(toDelivery),
      ),

    nextDeliveryAt: () =>
      database.read((connection) => {
        const at = connection
          .sql(`SELECT (SELECT min(due_at) FROM outbox WHERE due_at IS NOT NULL) AS due,
            (SELECT min(lease_expires_at) FROM outbox WHERE lease_expires_at IS NOT NULL) AS lost`)
          .get() as { due: number | null; lost: number | null };
        return at.due === null || at.lost === null ? (at.due ?? at.lost) : Math.min(at.due, at.lost);
      }),

    beginDeliveries: ({ wanted, owner, now, leaseMs }) =>
      database.write((connection) =>
        wanted.flatMap(({ id, leaseToken, repeatable }) => {
          const { changes } = connection
            .sql(`UPDATE outbox SET status = 'sending', reason = NULL, attempts = attempts + 1, due_at = NULL,
              lease_token = lease_token + 1, lease_owner = ?, lease_expires_at = ?, repeatable = ?, updated_at = ?
              WHERE id = ? AND lease_token = ? AND due_at IS NOT NULL`)
            .run(owner, now + leaseMs, repeatable ? 1 : 0, now, id, leaseToken);
          return changes === 1 ? [{ id, leaseToken: leaseToken + 1 }] : [];
        }),
      ),

    settleDeliveries: (outcomes, now) =>
      database.write((connection) => ({
        refused: outcomes
          .filter(({ id, leaseToken, status, reason, error, answer, dueAt, mergedInto, digestKey }) => {
            const { changes } = connection
              .sql(`UPDATE outbox SET status = ?, reason = ?, error = ?, answer = ?, due_at = ?, merged_into = ?,
                lease_expires_at = NULL, updated_at = ?, finished_at = ?, digest_key = coalesce(?, digest_key)
                WHERE id = ? AND lease_token = ? AND (due_at IS NOT NULL OR lease_expires_at IS NOT NULL)`)
              .run(
                status,
                reason,
                toJson(error),
                toJson(answer),
                dueAt,
                mergedInto,
                now,
                isSettled(status) ? now : null,
                digestKey ?? null,
                id,
                leaseToken,
              );
            return changes !== 1;
          })
          .map(({ id }) => id),
      })),

    async reclaimDeliveries({ now, owner }) {
      const lost = (connection: Connection) =>
        connection
          .sql(`SELECT id, repeatable FROM outbox WHERE lease_expires_at IS NOT NULL
            AND (lease_owner = ? OR (? IS NULL AND lease_expires_at <= ?))`)
          .all(owner ?? null, owner ?? null, now) as { id: string; repeatable: number }[];
      const result = { requeued: [] as string[], unknown: [] as string[] };
      if ((await database.read(lost)).length === 0) return result;
      return database.write((connection) => {
        const taken = { requeued: [] as string[], unknown: [] as string[] };
        for (const { id, repeatable } of lost(connection)) {
          const again = repeatable === 1;
          connection
            .sql(`UPDATE outbox SET status = ?, reason = 'lease_lost', due_at = ?, lease_expires_at = NULL,
              lease_token = lease_token + 1, updated_at = ?, finished_at = ? WHERE id = ?`)
            .run(again ? 'pending' : 'unknown', again ? now : null, now, again ? null : now, id);
          (again ? taken.requeued : taken.unknown).push(id);
        }
        return taken;
      });
    },

    bringForward: ({ agentId, taskId, now }) =>
      database.write(
        (connection) =>
          // Who looked at one by the old quiet times must not write what it found.
          connection
            .sql(`UPDATE outbox SET due_at = min(due_at, ?), lease_token = lease_token + 1, updated_at = ?
              WHERE due_at IS NOT NULL AND status = 'deferred' AND reason IN ('quiet_hours', 'vacation')
                AND (? IS NULL OR agent_id = ?) AND (? IS NULL OR task_id = ?)`)
            .run(now, now, agentId ?? null, agentId ?? null, taskId ?? null, taskId ?? null).changes,
      ),

    resolveDelivery: ({ id, status, reason, now }) =>
      database.write((connection) => {
        const again = status === 'pending';
        const { changes } = connection
          .sql(`UPDATE outbox SET status = ?, reason = ?, due_at = ?, lease_token = lease_token + 1, updated_at = ?,
            finished_at = ?, merged_into = NULL
            WHERE id = ? AND status <> 'sending' AND (? OR due_at IS NOT NULL OR status = 'unknown')`)
          .run(status, reason, again ? now : null, now, again ? null : now, id, again ? 1 : 0);
        const delivery = find(connection, 'id = ?', id);
        return delivery === null ? null : { delivery, changed: changes === 1 };
      }),
  };
}

/** @returns ids of those written; the others have a key that is there already. */
export function insertDeliveries(connection: Connection, deliveries: readonly NewDelivery[]): string[] {
  return deliveries
    .filter(
      (one) =>
        connection
          .sql(`INSERT INTO outbox (id, agent_id, key, origin, task_id, run_id, step_id, channel, message, quiet_hours,
              urgent, digest_key, status, reason, due_at, created_at, updated_at, finished_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (agent_id, key) DO NOTHING`)
          .run(
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
            one.urgent ? 1 : 0,
            one.digestKey,
            one.status,
            one.reason,
            one.dueAt,
            one.createdAt,
            one.createdAt,
            isSettled(one.status) ? one.createdAt : null,
          ).changes === 1,
    )
    .map(({ id }) => id);
}
