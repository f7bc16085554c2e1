import { type ParsedSpec, ParsedSpecs } from '../parsed-specs.js';
import type { Connection } from './database.js';

/** The specs used last, read once for each task and version. */
export class SpecCache {
  readonly #specs = new ParsedSpecs();

  /** @throws when the version is missing or is not JSON: the row was changed by hand. */
  get(connection: Connection, taskSeq: number, version: number): ParsedSpec {
    const known = this.#specs.find(taskSeq, version);
    if (known !== undefined) return known;
    const row = connection
      .sql('SELECT spec FROM task_version WHERE task_seq = ? AND version = ?')
      .get(taskSeq, version) as { spec: string } | undefined;
    if (row === undefined) throw new Error(`version ${version} of the task is missing`);
    return this.#specs.keep(taskSeq, version, row.spec);
  }
}
