import { conflict } from '../../../domain/errors.js';
import type { Tool } from '../../../domain/tool.js';
import { decodeTextCursor, encodeCursor } from '../cursor.js';
import type { StoredTool, ToolStore } from '../store.js';
import type { Connection, SqliteDatabase } from './database.js';

/** A row of `tool` as it is stored. */
export interface ToolRow {
  address: string;
  version: number;
  definition: string;
  created_by: string;
  created_at: number;
  updated_at: number;
}

const VERSION_KEY = 'tools_version';

/** The tool catalog. */
export function toolMethods(database: SqliteDatabase): ToolStore {
  return {
    putTool: (stored, options) =>
      database.write((connection) => {
        if (options?.create === true && exists(connection, stored.tool.address)) {
          throw conflict(`There is a tool ${stored.tool.address} already.`, [
            `pao tool show ${stored.tool.address}`,
          ]);
        }
        return put(connection, stored);
      }),

    putTools: (stored) =>
      database.write((connection) => {
        let created = 0;
        for (const one of stored) if (put(connection, one).created) created += 1;
        return { created, replaced: stored.length - created };
      }),

    getTool: (address) =>
      database.read((connection) => {
        const row = connection.sql('SELECT * FROM tool WHERE address = ?').get(address) as
          | ToolRow
          | undefined;
        return row === undefined ? null : toStored(row);
      }),

    listTools: ({ prefix, limit, cursor }) =>
      database.read((connection) => {
        const after = cursor === undefined ? '' : decodeTextCursor(cursor);
        const start = prefix ?? '';
        // Addresses are ASCII: no address with this prefix sorts after it followed by DEL.
        const rows = connection
          .sql(
            'SELECT * FROM tool WHERE address > ? AND address >= ? AND address < ? ORDER BY address LIMIT ?',
          )
          .all(after, start, `${start}\u007f`, limit + 1) as ToolRow[];
        const items = rows.slice(0, limit);
        return {
          items: items.map(toStored),
          nextCursor: rows.length > limit ? encodeCursor((items.at(-1) as ToolRow).address) : null,
        };
      }),

    deleteTool: (address) =>
      database.write((connection) => {
        const deleted = connection.sql('DELETE FROM tool WHERE address = ?').run(address).changes === 1;
        if (deleted) nextVersion(connection);
        return deleted;
      }),

    toolsVersion: () => database.read(readVersion),
  };
}

function exists(connection: Connection, address: string): boolean {
  return connection.sql('SELECT 1 FROM tool WHERE address = ?').get(address) !== undefined;
}

function put(
  connection: Connection,
  stored: Omit<StoredTool, 'version'>,
): { created: boolean; version: number } {
  const { tool, createdBy, createdAt, updatedAt } = stored;
  const created = !exists(connection, tool.address);
  const version = nextVersion(connection);
  connection
    .sql(`INSERT INTO tool (address, version, definition, created_by, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)
      ON CONFLICT (address) DO UPDATE SET version = excluded.version, definition = excluded.definition,
        updated_at = excluded.updated_at`)
    .run(tool.address, version, JSON.stringify(tool), createdBy, createdAt, updatedAt);
  return { created, version };
}

/** One number for all tools: a tool that is deleted and made again does not get an old version. */
function nextVersion(connection: Connection): number {
  const version = readVersion(connection) + 1;
  connection
    .sql('INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
    .run(VERSION_KEY, String(version));
  return version;
}

function readVersion(connection: Connection): number {
  const value = connection.sql('SELECT value FROM meta WHERE key = ?').pluck().get(VERSION_KEY) as
    | string
    | undefined;
  return value === undefined ? 0 : Number(value);
}

/** The tool that a row describes. */
export function toStored(row: ToolRow): StoredTool {
  return {
    tool: JSON.parse(row.definition) as Tool,
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
