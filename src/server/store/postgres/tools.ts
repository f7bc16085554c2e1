import { conflict } from '../../../domain/errors.js';
import { decodeTextCursor, encodeCursor } from '../cursor.js';
import { type ToolRow, toStored } from '../sqlite/tools.js';
import type { StoredTool, ToolStore } from '../store.js';
import type { PostgresDatabase, Sql } from './database.js';

type NewTool = Omit<StoredTool, 'version'>;

const VERSION_KEY = 'tools_version';

/** The tool catalog. */
export function toolMethods(database: PostgresDatabase): ToolStore {
  return {
    putTool: (stored, options) =>
      database.transaction(async (sql) => {
        const version = await nextVersion(sql);
        const { address } = stored.tool;
        const exists = (await sql.rows('SELECT 1 FROM tool WHERE address = $1', [address])).length > 0;
        if (options?.create === true && exists) {
          throw conflict(`There is a tool ${address} already.`, [`pao tool show ${address}`]);
        }
        await put(sql, [stored], version);
        return { created: !exists, version };
      }),

    putTools: (stored) =>
      database.transaction(async (sql) => {
        if (stored.length === 0) return { created: 0, replaced: 0 };
        const version = (await nextVersion(sql, stored.length)) - stored.length + 1;
        const addresses = [...new Set(stored.map(({ tool }) => tool.address))];
        const [row] = await sql.rows<{ count: number }>(
          'SELECT count(*) FROM tool WHERE address = ANY ($1)',
          [addresses],
        );
        const created = addresses.length - (row?.count ?? 0);
        const latest = new Map(stored.map((one) => [one.tool.address, one]));
        await put(sql, [...latest.values()], version);
        return { created, replaced: stored.length - created };
      }),

    async getTool(address) {
      const [row] = await database.read<ToolRow>('SELECT * FROM tool WHERE address = $1', [address]);
      return row === undefined ? null : toStored(row);
    },

    async listTools({ prefix, limit, cursor }) {
      const after = cursor === undefined ? '' : decodeTextCursor(cursor);
      const start = prefix ?? '';
      // Addresses are ASCII: no address with this prefix sorts after it followed by DEL.
      const rows = await database.read<ToolRow>(
        'SELECT * FROM tool WHERE address > $1 AND address >= $2 AND address < $3 ORDER BY address LIMIT $4',
        [after, start, `${start}\u007f`, limit + 1],
      );
      const items = rows.slice(0, limit);
      return {
        items: items.map(toStored),
        nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as ToolRow).address) : null,
      };
    },

    deleteTool: (address) =>
      database.transaction(async (sql) => {
        const deleted = (await sql.run('DELETE FROM tool WHERE address = $1', [address])) === 1;
        if (deleted) await nextVersion(sql);
        return deleted;
      }),

    async toolsVersion() {
      const [row] = await database.read<{ value: string }>('SELECT value FROM meta WHERE key = $1', [
        VERSION_KEY,
      ]);
      return Number(row?.value ?? 0);
    },
  };
}

/**
 * One number for all tools: a tool that is deleted and made again does not get an old version. Its row is held until the
 * change is committed, so that changes are one after the other.
 */
async function nextVersion(sql: Sql, by = 1): Promise<number> {
  const row = await sql.row<{ value: string }>(
    `INSERT INTO meta (key, value) VALUES ($1, $2::text)
      ON CONFLICT (key) DO UPDATE SET value = (meta.value::bigint + $2::bigint)::text RETURNING value`,
    [VERSION_KEY, String(by)],
  );
  return Number(row?.value);
}

/** Writes tools of different addresses, with versions counted from `version`. */
async function put(sql: Sql, tools: readonly NewTool[], version: number): Promise<void> {
  await sql.run(
    `INSERT INTO tool (address, version, definition, created_by, created_at, updated_at)
      SELECT address, version, definition, created_by, pao_at(created_at), pao_at(updated_at)
      FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[])
        AS one(address, version, definition, created_by, created_at, updated_at)
      ON CONFLICT (address) DO UPDATE SET version = excluded.version, definition = excluded.definition,
        updated_at = excluded.updated_at`,
    [
      tools.map(({ tool }) => tool.address),
      tools.map((_, at) => version + at),
      tools.map(({ tool }) => JSON.stringify(tool)),
      tools.map(({ createdBy }) => createdBy),
      tools.map(({ createdAt }) => createdAt),
      tools.map(({ updatedAt }) => updatedAt),
    ],
  );
}
