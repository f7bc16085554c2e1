import { join } from 'node:path';
import { verifyAudit } from '../../src/domain/audit-chain.js';
import { openStore } from '../../src/server/store/open.js';
import { loadDriver } from '../../src/server/store/sqlite/open.js';
import type { ToolRequest } from './held-tool.js';

/** What a client was told, and what a tool saw. */
export interface History {
  /** Ids of tasks, runs and events that were acknowledged. */
  tasks?: Iterable<string>;
  runs?: Iterable<string>;
  events?: Iterable<string>;
  /** Calls of `probe.once`, each with `?call=` unique for a step of a run. */
  onceCalls?: readonly ToolRequest[];
}

/**
 * Looks at the database of a system that is at rest (reliability.md D3).
 * @returns everything that is wrong, each with the letter of the promise it breaks: L nothing acknowledged is lost, D no
 * occurrence twice, F nothing done twice after a lost lease, E every run has ended or can still be taken, A the audit
 * chain is whole, M counters are what the database counts.
 */
export async function checkHistory(home: string, history: History): Promise<string[]> {
  const path = join(home, 'orchestrator.db');
  const problems: string[] = [];
  const database = new (loadDriver())(path, { readonly: true });
  try {
    const rows = <T>(sql: string) => database.prepare(sql).all() as T[];
    const ids = (table: string) =>
      new Set(database.prepare(`SELECT id FROM ${table}`).pluck().all() as string[]);
    for (const table of ['task', 'run', 'event'] as const) {
      const there = ids(table);
      for (const id of history[`${table}s`] ?? []) if (!there.has(id)) problems.push(`L: ${table} ${id}`);
    }
    for (const { task_seq, scheduled_for } of rows<{ task_seq: number; scheduled_for: number }>(
      `SELECT task_seq, scheduled_for FROM run WHERE trigger IN ('schedule', 'catchup')
        GROUP BY task_seq, scheduled_for HAVING count(*) > 1`,
    ))
      problems.push(`D: task ${task_seq} twice for ${new Date(scheduled_for).toISOString()}`);
    for (const { id, status } of rows<{ id: string; status: string }>(
      `SELECT id, status FROM run LEFT JOIN due_work ON due_work.seq = run.seq
        WHERE (status = 'active') <> (due_work.seq IS NOT NULL)`,
    ))
      problems.push(`E: run ${id} is ${status}, and its due work says otherwise`);
    for (const { id } of rows<{ id: string }>(
      `SELECT run.id FROM run JOIN step_run ON step_run.run_seq = run.seq
        WHERE run.status = 'succeeded' AND step_run.status NOT IN ('succeeded', 'skipped')`,
    ))
      problems.push(`E: run ${id} succeeded with a step that did not`);
    for (const { state, count, real } of rows<{ state: string; count: number; real: number }>(
      `SELECT state, count, (SELECT count(*) FROM task WHERE task.state = task_count.state) AS real
        FROM task_count WHERE count <> real`,
    ))
      problems.push(`M: ${count} tasks are said to be ${state}, ${real} are`);
    const integrity = database.pragma('integrity_check(3)', { simple: true });
    if (integrity !== 'ok') problems.push(`L: ${String(integrity)}`);
  } finally {
    database.close();
  }
  const calls = new Map<string, number>();
  for (const { call } of history.onceCalls ?? []) calls.set(call, (calls.get(call) ?? 0) + 1);
  for (const [call, times] of calls) if (times > 1) problems.push(`F: ${call} was done ${times} times`);
  const store = await openStore({ url: `sqlite:${path}`, readonly: true });
  const audit = await verifyAudit(store);
  await store.close();
  if (!audit.ok) problems.push(`A: the audit chain is broken at ${audit.brokenAt}`);
  return problems;
}
