import type { TaskSpec } from '../../../domain/task.js';
import type { Connection } from './database.js';

/** A version of a task as runs of it need it. Shared by all who ask: never change it. */
export interface ParsedSpec {
  spec: TaskSpec;
  /** How work that needs worker tags is grouped: the sorted tags as JSON, or '' for none. */
  tagSet: string;
}

const MAX_SPECS = 1000;

/** The specs used last, parsed once for each task and version; a version never changes. */
export class SpecCache {
  readonly #parsed = new Map<string, ParsedSpec>();

  /** @throws when the version is missing or is not JSON: the row was changed by hand. */
  get(connection: Connection, taskSeq: number, version: number): ParsedSpec {
    const key = `${taskSeq}:${version}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) {
      // Put last again: the Map's order is the order of use.
      this.#parsed.delete(key);
      this.#parsed.set(key, known);
      return known;
    }
    const row = connection
      .sql('SELECT spec FROM task_version WHERE task_seq = ? AND version = ?')
      .get(taskSeq, version) as { spec: string } | undefined;
    if (row === undefined) throw new Error(`version ${version} of the task is missing`);
    const spec = JSON.parse(row.spec) as TaskSpec;
    const parsed = { spec, tagSet: tagSetOf(spec.runs_on) };
    this.#parsed.set(key, parsed);
    if (this.#parsed.size > MAX_SPECS) this.#parsed.delete(this.#parsed.keys().next().value as string);
    return parsed;
  }
}

function tagSetOf(tags: string[] | undefined): string {
  return tags === undefined || tags.length === 0 ? '' : JSON.stringify([...new Set(tags)].sort());
}
