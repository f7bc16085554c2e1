import { COPY_PROGRESS, OWN_META, type Transfer, type TransferRow, type TransferTable } from '../transfer.js';
import { Connection } from './database.js';
import { explainSqliteError } from './errors.js';
import { openConnection } from './open.js';

const OWN = OWN_META.map((key) => `'${key}'`).join(', ');

/** The tables of an SQLite file. */
export function openSqliteTransfer(path: string): Transfer {
  const { raw, location } = openConnection({ path, durability: 'full', readonly: false });
  const connection = new Connection(raw);
  const attempt = async <T>(work: () => T): Promise<T> => {
    try {
      return work();
    } catch (error) {
      throw explainSqliteError(error, location);
    }
  };
  const setProgress = (progress: string) =>
    connection.sql('INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)').run(COPY_PROGRESS, progress);

  return {
    engine: 'sqlite',
    location,
    count: (table) =>
      attempt(
        () =>
          connection
            .sql(`SELECT count(*) FROM ${table.name} WHERE ${filterOf(table)}`)
            .pluck()
            .get() as number,
      ),
    read: (table, after, limit) =>
      attempt(() => {
        const keys = table.columns.slice(0, table.keyLength).map(({ name }) => name);
        const place = after === null ? '' : `AND (${keys.join(', ')}) > (${keys.map(() => '?').join(', ')})`;
        const bound = after === null ? [] : after.slice(0, table.keyLength);
        return connection
          .sql(
            `SELECT ${table.columns.map(({ name }) => readOf(table, name)).join(', ')} FROM ${table.name}
              WHERE ${filterOf(table)} ${place} ORDER BY ${keys.join(', ')} LIMIT ?`,
          )
          .raw()
          .all(...bound, limit) as TransferRow[];
      }),
    write: (table, rows, progress) =>
      attempt(() =>
        connection.transact(() => {
          const names = table.columns.map(({ name }) => name);
          const insert = connection.sql(
            `INSERT INTO ${table.name} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
          );
          for (const row of rows) insert.run(...row);
          setProgress(progress);
        }),
      ),
    getMeta: (key) =>
      attempt(
        () =>
          (connection.sql('SELECT value FROM meta WHERE key = ?').pluck().get(key) as string | undefined) ??
          null,
      ),
    lastEvent: () =>
      attempt(
        () =>
          (connection.sql("SELECT seq FROM sqlite_sequence WHERE name = 'event'").pluck().get() as
            | number
            | undefined) ?? 0,
      ),
    finish: (lastEvent) =>
      attempt(() =>
        connection.transact(() => {
          connection.sql("DELETE FROM sqlite_sequence WHERE name = 'event'").run();
          connection.sql("INSERT INTO sqlite_sequence (name, seq) VALUES ('event', ?)").run(lastEvent);
        }),
      ),
    clearMeta: () => attempt(() => void connection.sql(`DELETE FROM meta WHERE key NOT IN (${OWN})`).run()),
    forgetProgress: () =>
      attempt(() => void connection.sql('DELETE FROM meta WHERE key = ?').run(COPY_PROGRESS)),
    close: async () => {
      if (!raw.open) return;
      raw.pragma('wal_checkpoint(TRUNCATE)');
      raw.close();
    },
  };
}

const filterOf = ({ name }: TransferTable): string => (name === 'meta' ? `key NOT IN (${OWN})` : 'true');

/** A task is held by a run that waits; one that is leased is given back. */
const readOf = (table: TransferTable, column: string): string =>
  table.name === 'due_work' && column === 'serial_holder'
    ? 'CASE WHEN waiting = 1 THEN serial_holder END'
    : column;
