import { EXIT, PaoError } from '../../domain/errors.js';
import { readDatabaseUrl, shownDatabase } from './database-url.js';

/** Where a copy that is not whole yet stands, in the database it goes to. */
export const COPY_PROGRESS = 'copy_progress';
/** Rows of `meta` that are about the database itself, not about what is in it. */
export const OWN_META = [COPY_PROGRESS, 'in_use_since'];

export type TransferValue = string | number | null;
/** Values in the order of the table's columns: instants as epoch milliseconds, flags as 0 and 1. */
export type TransferRow = TransferValue[];

export interface TransferColumn {
  name: string;
  kind: 'int' | 'time' | 'text' | 'flag';
}

/** A table as both engines have it; what an engine keeps besides follows from these columns. */
export interface TransferTable {
  name: string;
  columns: readonly TransferColumn[];
  /** The first columns, as many, are its key: rows are read in their order. */
  keyLength: number;
}

/** The tables of one engine, row by row. */
export interface Transfer {
  readonly engine: 'sqlite' | 'postgres';
  readonly location: string;
  count(table: TransferTable): Promise<number>;
  /** Rows after a key, in the order of keys. */
  read(table: TransferTable, after: TransferRow | null, limit: number): Promise<TransferRow[]>;
  /** Writes rows, and how far the copy is with them, in one transaction. */
  write(table: TransferTable, rows: readonly TransferRow[], progress: string): Promise<void>;
  getMeta(key: string): Promise<string | null>;
  /** The number of the last event, of which it may be that its row was pruned. */
  lastEvent(): Promise<number>;
  /** Makes numbers of new rows go on after those that were written. */
  finish(lastEvent: number): Promise<void>;
  /** Forgets everything in `meta`, before a copy begins. */
  clearMeta(): Promise<void>;
  forgetProgress(): Promise<void>;
  close(): Promise<void>;
}

function table(name: string, keyLength: number, columns: string): TransferTable {
  return {
    name,
    keyLength,
    columns: columns.split(/,\s*/).map((column) => {
      const [own = '', kind = 'text'] = column.split(':');
      return { name: own, kind: kind as TransferColumn['kind'] };
    }),
  };
}

/**
 * Every table whose rows are copied, those that others refer to first. Leases are not: nobody has any while a database
 * is copied. Left out: `schema_migration`, `worker_heartbeat`, and what an engine derives.
 */
export const TRANSFER_TABLES: readonly TransferTable[] = [
  table(
    'agent',
    1,
    'seq:int, id, name, title, scopes, budget, disabled_at:time, created_at:time, updated_at:time, max_tasks:int',
  ),
  table(
    'agent_token',
    1,
    'seq:int, id, agent_seq:int, hash, prefix, label, scopes, created_at:time, expires_at:time, revoked_at:time, last_used_at:time',
  ),
  table(
    'task',
    1,
    'seq:int, id, agent_seq:int, name, search_text, version:int, state, state_reason, scopes, timed:flag, event_key, next_due_at:time, snoozed_until:time, last_run_at:time, memory, created_by, created_at:time, updated_at:time, created_in_run, spawn_depth:int',
  ),
  table('task_version', 2, 'task_seq:int, version:int, spec, changed_by, changed_at:time'),
  table(
    'run',
    1,
    'seq:int, id, task_seq:int, task_version:int, agent_seq:int, status, reason, trigger, scheduled_for:time, created_at:time, run_at:time, started_at:time, finished_at:time, attempt:int, deaths:int, priority:int, params, event_id, parent_run_id, dedupe_key, output, error, trace_id, worker_id, events',
  ),
  table(
    'step_run',
    2,
    'run_seq:int, step_id, position:int, tool, status, reason, attempts:int, started_at:time, finished_at:time, input, output, error, idempotency_key, usage',
  ),
  table('step_key', 2, 'agent_seq:int, key, run_seq:int, step_id, reserved_at:time'),
  table(
    'due_work',
    1,
    'seq:int, task_seq:int, waiting:int, fresh:int, has_keys:int, attempt:int, deaths:int, started_at:time, priority:int, run_at:time, tag_set, lane, lane_limit:int, serial:int, serial_holder:int, lease_owner, lease_token:int, cancel_requested:int, cancel_reason',
  ),
  table(
    'event',
    1,
    'sequence:int, id, topic, payload, dedupe_key, agent_id, created_at:time, dispatched_at:time, trace_id, cause_run_id, depth:int',
  ),
  table(
    'event_window',
    2,
    'task_seq:int, key, kind, opened_at:time, closes_at:time, count:int, size:int, event_ids',
  ),
  table('step_memory', 2, 'task_seq:int, step_id, hash, run_id, at:time'),
  table(
    'hook',
    1,
    'seq:int, id, agent_seq:int, name, topic, scheme, secret, old_secret, old_secret_until:time, created_at:time, updated_at:time, last_received_at:time, allow_repeats:flag',
  ),
  table('event_wait', 2, 'run_seq:int, step_id, event_key'),
  table(
    'approval',
    1,
    'seq:int, id, run_seq:int, task_seq:int, step_id, message, data, state, on_timeout, requested_at:time, expires_at:time, decided_at:time, decided_by, comment',
  ),
  table(
    'budget_account',
    1,
    'key, tokens:int, nano_usd:int, calls:int, runs:int, unpriced:int, updated_at:time',
  ),
  table(
    'budget_entry',
    1,
    'seq:int, id, run_id, task_id, agent_id, step_id, tool, model, accounts, reserved, spent, input_tokens:int, output_tokens:int, state, estimated:int, at:time, settled_at:time',
  ),
  table('tool', 1, 'address, version:int, definition, created_by, created_at:time, updated_at:time'),
  table('kept_answer', 1, 'id, answer, at:time'),
  table('audit_log', 1, 'sequence:int, at:time, actor, action, target, details, hash'),
  table(
    'outbox',
    1,
    'seq:int, id, agent_id, key, origin, task_id, run_id, step_id, channel, message, quiet_hours, urgent:flag, digest_key, status, reason, attempts:int, due_at:time, lease_token:int, lease_owner, lease_expires_at:time, repeatable:flag, error, answer, merged_into, created_at:time, updated_at:time, finished_at:time',
  ),
  table('meta', 1, 'key, value'),
];

/**
 * Opens the tables of a migrated database.
 * @throws PaoError PAO_STORE_URL, and what the engine says.
 */
export async function openTransfer(url: string): Promise<Transfer> {
  const read = readDatabaseUrl(url);
  if (read?.engine === 'postgres') {
    const { openPostgresTransfer } = await import('./postgres/transfer.js');
    return openPostgresTransfer(read.url);
  }
  if (read?.engine === 'sqlite' && read.path !== ':memory:') {
    const { openSqliteTransfer } = await import('./sqlite/transfer.js');
    return openSqliteTransfer(read.path);
  }
  throw new PaoError('PAO_STORE_URL', `${shownDatabase(url)} is no database that can be copied.`, {
    exitCode: EXIT.usage,
    hints: ['Write sqlite:PATH or postgres://user:password@host:port/database'],
  });
}
