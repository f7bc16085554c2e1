import { AUDIT_GENESIS, type AuditEntry, type AuditInput, hashAudit } from '../../../domain/audit-chain.js';
import { AUDIT_SCAN, auditConditions, nextAuditPage } from '../audit-filter.js';
import { decodeNumberCursor, encodeCursor } from '../cursor.js';
import type { Store } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';

interface AuditRow {
  sequence: number;
  at: number;
  actor: string;
  action: string;
  target: string | null;
  details: string;
  hash: string;
}

/** The hash chain of changes. */
export function auditMethods(database: SqliteDatabase): Pick<Store, 'appendAudit' | 'listAudit'> {
  return {
    appendAudit: (entry) => database.write((connection) => writeAudit(connection, entry)),

    listAudit: (query) =>
      database.read((connection) => {
        const { limit, cursor } = query;
        const last = connection.sql('SELECT max(sequence) FROM audit_log').pluck().get() as number | null;
        const before = cursor === undefined ? (last ?? 0) + 1 : decodeNumberCursor(cursor);
        const floor = Math.max(1, before - AUDIT_SCAN);
        const values: unknown[] = [];
        const place = (value: unknown) => {
          values.push(value);
          return '?';
        };
        const where = auditConditions(query, place, {
          from: (since) => `at >= ${since}`,
          inText: (text, part) => `instr(${text}, ${part}) > 0`,
        });
        const rows = connection
          .sql(
            `SELECT * FROM audit_log WHERE sequence < ? AND sequence >= ?${where} ORDER BY sequence DESC LIMIT ?`,
          )
          .all(before, floor, ...values, limit + 1) as AuditRow[];
        const items: AuditEntry[] = rows
          .slice(0, limit)
          .map((row) => ({ ...row, details: JSON.parse(row.details) as Record<string, unknown> }));
        const next = nextAuditPage(rows, limit, floor);
        return { items, nextCursor: next === null ? null : encodeCursor(next) };
      }),
  };
}

/** Adds a record to the chain, in the transaction of what it tells of. */
export function writeAudit(connection: Connection, entry: AuditInput): void {
  const last = connection.sql('SELECT sequence, hash FROM audit_log ORDER BY sequence DESC LIMIT 1').get() as
    | { sequence: number; hash: string }
    | undefined;
  const sequence = (last?.sequence ?? 0) + 1;
  const details = JSON.stringify(entry.details);
  // Hashed as it will be read back: JSON has no undefined and no Date.
  const stored = { ...entry, details: JSON.parse(details) as Record<string, unknown> };
  connection
    .sql(
      'INSERT INTO audit_log (sequence, at, actor, action, target, details, hash) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    .run(
      sequence,
      entry.at,
      entry.actor,
      entry.action,
      entry.target,
      details,
      hashAudit(last?.hash ?? AUDIT_GENESIS, sequence, stored),
    );
}
