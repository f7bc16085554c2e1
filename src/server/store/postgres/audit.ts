import { AUDIT_GENESIS, type AuditEntry, type AuditInput, hashAudit } from '../../../domain/audit-chain.js';
import { AUDIT_SCAN, auditConditions, nextAuditPage } from '../audit-filter.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { Store } from '../store.js';
import { Batcher } from './batcher.js';
import type { PostgresDatabase, Sql } from './database.js';

/** Taken for the length of a transaction by who writes the chain. Any number that is ours alone. */
const LOCK = 7_260_402;

type AuditRow = Omit<AuditEntry, 'details'> & { details: string };

/** The hash chain of changes: one writer at a time, whatever the number of processes. */
export function auditMethods(database: PostgresDatabase): Pick<Store, 'appendAudit' | 'listAudit'> {
  const writer = new Batcher<AuditInput, void>((entries) =>
    database.transaction(async (sql) => {
      await writeAudit(sql, entries);
      return entries.map(() => undefined);
    }),
  );
  return {
    appendAudit: (entry) => writer.add(entry),

    async listAudit(query) {
      const { limit, cursor } = query;
      let before = cursor === undefined ? null : decodeNumberCursor(cursor);
      if (before === null) {
        const [row] = await database.read<{ last: number | null }>(
          'SELECT max(sequence) AS last FROM audit_log',
        );
        before = (row?.last ?? 0) + 1;
      }
      const floor = Math.max(1, before - AUDIT_SCAN);
      const values: unknown[] = [before, floor, limit + 1];
      const place = (value: unknown) => `$${values.push(value)}`;
      const where = auditConditions(query, place, {
        from: (since) => `at >= pao_at(${since})`,
        inText: (text, part) => `strpos(${text}, ${part}) > 0`,
      });
      const rows = await database.read<AuditRow>(
        `SELECT * FROM audit_log WHERE sequence < $1 AND sequence >= $2${where} ORDER BY sequence DESC LIMIT $3`,
        values,
      );
      const items = rows
        .slice(0, limit)
        .map((row): AuditEntry => ({ ...row, details: JSON.parse(row.details) as Record<string, unknown> }));
      const next = nextAuditPage(rows, limit, floor);
      return { items, nextCursor: next === null ? null : encodeCursor(next) };
    },
  };
}

/**
 * Adds records to the chain, in the transaction of what they tell of; last in it, for all who write the chain wait until it
 * ends.
 */
export async function writeAudit(sql: Sql, entries: readonly AuditInput[]): Promise<void> {
  await sql.rows('SELECT pg_advisory_xact_lock($1)', [LOCK]);
  const last = await sql.row<{ sequence: number; hash: string }>(
    'SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1',
  );
  const first = (last?.sequence ?? 0) + 1;
  let hash = last?.hash ?? AUDIT_GENESIS;
  const details = entries.map((entry) => JSON.stringify(entry.details));
  const hashes = entries.map((entry, at) => {
    // Hashed as it will be read back: JSON has no undefined and no Date.
    const stored = { ...entry, details: JSON.parse(details[at] as string) as Record<string, unknown> };
    hash = hashAudit(hash, first + at, stored);
    return hash;
  });
  await sql.run(
    `INSERT INTO audit_log (sequence, at, actor, action, target, details, hash)
      SELECT sequence, pao_at(at), actor, action, target, details, hash
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS one(sequence, at, actor, action, target, details, hash)`,
    [
      entries.map((_, at) => first + at),
      entries.map(({ at }) => at),
      entries.map(({ actor }) => actor),
      entries.map(({ action }) => action),
      entries.map(({ target }) => target),
      details,
      hashes,
    ],
  );
}
