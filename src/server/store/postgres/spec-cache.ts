import { type ParsedSpec, ParsedSpecs } from '../parsed-specs.js';
import type { Sql } from './database.js';

interface Version {
  taskSeq: number;
  version: number;
}

/** The specs used last, read once for each task and version, many in one query. */
export class SpecCache {
  readonly #specs = new ParsedSpecs();

  /** @returns the specs in the order asked for; an Error in place of one that is missing or is not JSON. */
  async load(sql: Sql, wanted: readonly Version[]): Promise<(ParsedSpec | Error)[]> {
    const found = wanted.map(({ taskSeq, version }) => this.#specs.find(taskSeq, version));
    const missing = wanted.filter((_, at) => found[at] === undefined);
    if (missing.length === 0) return found as ParsedSpec[];
    const read = new Map<string, ParsedSpec | Error>();
    const rows = await sql.rows<{ task_seq: number; version: number; spec: string }>(
      `SELECT task_seq, version, spec FROM unnest($1::bigint[], $2::integer[]) AS one(task_seq, version)
        JOIN task_version USING (task_seq, version)`,
      [missing.map(({ taskSeq }) => taskSeq), missing.map(({ version }) => version)],
    );
    for (const row of rows) {
      const key = `${row.task_seq}:${row.version}`;
      try {
        if (!read.has(key)) read.set(key, this.#specs.keep(row.task_seq, row.version, row.spec));
      } catch (error) {
        read.set(key, error as Error);
      }
    }
    return wanted.map(
      ({ taskSeq, version }, at) =>
        found[at] ??
        read.get(`${taskSeq}:${version}`) ??
        new Error(`version ${version} of the task is missing`),
    );
  }

  /** @throws when the version is missing or is not JSON: the row was changed by hand. */
  async get(sql: Sql, taskSeq: number, version: number): Promise<ParsedSpec> {
    const [parsed] = await this.load(sql, [{ taskSeq, version }]);
    if (parsed instanceof Error) throw parsed;
    return parsed as ParsedSpec;
  }
}
