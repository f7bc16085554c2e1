import {
  COPY_PROGRESS,
  OWN_META,
  type Transfer,
  type TransferColumn,
  type TransferRow,
  type TransferTable,
} from '../transfer.js';
import { POSTGRES_DEFAULTS, PostgresDatabase, type Sql, type Transaction } from './database.js';
import { Partitions } from './partitions.js';
import { parsePostgresUrl } from './target.js';

const PATIENCE_MS = 10 * 60_000;
const OWN = OWN_META.map((key) => `'${key}'`).join(', ');
const IDENTITIES = ['agent', 'agent_token', 'task', 'approval', 'budget_entry', 'outbox', 'hook'];

/** How a table of the copy is read where its columns are not those of the table of that name. */
const READ: Record<string, { from?: string; columns?: Record<string, string> }> = {
  task: {
    from: 'task t LEFT JOIN task_activity a ON a.task_seq = t.seq',
    columns: { timed: 't.timed::integer', last_run_at: 'a.last_run_at' },
  },
  due_work: { columns: { serial_holder: 'CASE WHEN t.waiting = 1 THEN t.serial_holder END' } },
  event_wait: { from: 'event_wait t JOIN run r ON r.id = t.run_id', columns: { run_seq: 'r.seq' } },
  outbox: { columns: { urgent: 't.urgent::integer', repeatable: 't.repeatable::integer' } },
};

/** What a table has besides, from the run a row belongs to. */
const WITH_RUN: Record<string, { run: string; columns: Record<string, string>; without?: string[] }> = {
  step_run: { run: 's.run_seq', columns: { scheduled_for: 'r.scheduled_for' } },
  step_key: { run: 's.run_seq', columns: { scheduled_for: 'r.scheduled_for' } },
  due_work: {
    run: 's.seq',
    columns: {
      run_id: 'r.id',
      scheduled_for: 'r.scheduled_for',
      agent_seq: 'r.agent_seq',
      was_fresh: 's.fresh::smallint',
    },
  },
  approval: {
    run: 's.run_seq',
    columns: { run_id: 'r.id', scheduled_for: 'r.scheduled_for', agent_seq: 'r.agent_seq' },
  },
  event_wait: { run: 's.run_seq', columns: { run_id: 'r.id' }, without: ['run_seq'] },
};

/** The tables of a PostgreSQL database. */
export async function openPostgresTransfer(url: string): Promise<Transfer> {
  const database = new PostgresDatabase(parsePostgresUrl(url), {
    ...POSTGRES_DEFAULTS,
    poolSize: 2,
    statementTimeoutMs: PATIENCE_MS,
  });
  await database.open();
  const partitions = new Partitions(database);
  const count = async (sql: string): Promise<number> =>
    (await database.row<{ count: number }>(sql))?.count ?? 0;

  return {
    engine: 'postgres',
    location: database.location,
    count: ({ name }) =>
      count(`SELECT count(*) AS count FROM ${name} ${name === 'meta' ? `WHERE key NOT IN (${OWN})` : ''}`),
    read: (table, after, limit) => readRows(database, table, after, limit),
    async write(table, rows, progress) {
      if (table.name === 'run') await makePartitions(partitions, table, rows);
      await database.transaction(async (sql) => {
        if (rows.length > 0) await writeRows(sql, table, rows);
        await sql.run(
          'INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value',
          [COPY_PROGRESS, progress],
        );
      });
    },
    getMeta: async (key) =>
      (await database.row<{ value: string }>('SELECT value FROM meta WHERE key = $1', [key]))?.value ?? null,
    lastEvent: () => count('SELECT last AS count FROM event_counter'),
    finish: (lastEvent) =>
      database.transaction(async (sql) => {
        await sql.run('UPDATE event_counter SET last = $1', [lastEvent]);
        await sql.rows("SELECT setval('run_seq', greatest((SELECT max(seq) FROM run), 1))");
        for (const name of IDENTITIES)
          await sql.rows(
            `SELECT setval(pg_get_serial_sequence('${name}', 'seq'), greatest((SELECT max(seq) FROM ${name}), 1))`,
          );
      }),
    clearMeta: async () => void (await database.run(`DELETE FROM meta WHERE key NOT IN (${OWN})`)),
    forgetProgress: async () => void (await database.run('DELETE FROM meta WHERE key = $1', [COPY_PROGRESS])),
    close: () => database.close(),
  };
}

async function readRows(
  sql: Sql,
  { name, columns, keyLength }: TransferTable,
  after: TransferRow | null,
  limit: number,
): Promise<TransferRow[]> {
  const { from = `${name} t`, columns: own = {} } = READ[name] ?? {};
  const exprs = columns.map((column) => own[column.name] ?? `t.${column.name}`);
  const keys = exprs.slice(0, keyLength).join(', ');
  const where = [
    ...(name === 'meta' ? [`t.key NOT IN (${OWN})`] : []),
    ...(after === null ? [] : [`(${keys}) > (${placeholders(columns.slice(0, keyLength))})`]),
  ];
  const bound = after === null ? [] : after.slice(0, keyLength);
  const rows = await sql.rows<Record<string, TransferRow[number]>>(
    `SELECT ${exprs.map((expr, index) => `${expr} AS c${index}`).join(', ')} FROM ${from}
      ${where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`} ORDER BY ${keys} LIMIT ${limit}`,
    bound,
  );
  return rows.map((row) => columns.map((_, index) => row[`c${index}`] ?? null));
}

const placeholders = (columns: readonly TransferColumn[]): string =>
  columns.map(({ kind }, index) => `$${index + 1}::${kind === 'text' ? 'text' : 'bigint'}`).join(', ');

async function makePartitions(
  partitions: Partitions,
  { columns }: TransferTable,
  rows: readonly TransferRow[],
): Promise<void> {
  const at = columns.findIndex(({ name }) => name === 'scheduled_for');
  const instants = rows.map((row) => row[at] as number);
  const now = instants.at(-1) ?? 0;
  await partitions.ensure(partitions.missing(instants, now), now);
}

/** One statement for all rows: a list for each column, taken apart by the server. */
async function writeRows(
  sql: Transaction,
  table: TransferTable,
  rows: readonly TransferRow[],
): Promise<void> {
  const { name, columns } = table;
  const lists = columns.map((_, index) => rows.map((row) => row[index] ?? null));
  const source = `unnest(${columns
    .map(({ kind }, index) => `$${index + 1}::${kind === 'text' ? 'text' : 'bigint'}[]`)
    .join(', ')}) AS s(${columns.map((column) => column.name).join(', ')})`;
  const besides = WITH_RUN[name];
  const derived: Record<string, string> =
    name === 'run'
      ? { dedupes: "s.dedupe_key IS NOT NULL AND s.status NOT IN ('skipped', 'missed')" }
      : (besides?.columns ?? {});
  const own = columns.filter(
    (column) =>
      !besides?.without?.includes(column.name) && !(name === 'task' && column.name === 'last_run_at'),
  );
  const targets = [...own.map((column) => column.name), ...Object.keys(derived)];
  const values = [...own.map(valueOf), ...Object.values(derived)];
  const join = besides === undefined ? '' : `JOIN run r ON r.seq = ${besides.run}`;
  const written = await sql.run(
    `INSERT INTO ${name} (${targets.join(', ')}) OVERRIDING SYSTEM VALUE SELECT ${values.join(', ')} FROM ${source} ${join}`,
    lists,
  );
  if (written !== rows.length)
    throw new Error(`${rows.length - written} rows of ${name} belong to runs that are not there.`);
  if (name === 'task') {
    await sql.run(
      `INSERT INTO task_activity SELECT s.seq, pao_at(s.last_run_at) FROM ${source} WHERE s.last_run_at IS NOT NULL`,
      lists,
    );
  }
  if (name === 'run') {
    await sql.run(
      `INSERT INTO run_exception SELECT s.seq, pao_at(s.scheduled_for), s.status FROM ${source}
        WHERE s.status NOT IN ('active', 'succeeded')`,
      lists,
    );
  }
}

const valueOf = ({ name, kind }: TransferColumn): string => {
  if (kind === 'time') return `pao_at(s.${name})`;
  return kind === 'flag' ? `s.${name} = 1` : `s.${name}`;
};
