import type { TaskSpec } from '../../domain/task.js';

/** A version of a task as runs of it need it. Shared by all who ask: never change it. */
export interface ParsedSpec {
  spec: TaskSpec;
  /** How work that needs worker tags is grouped: the sorted tags as JSON, or '' for none. */
  tagSet: string;
}

const MAX_SPECS = 1000;

/** The specs used last, parsed once for each task and version; a version never changes. */
export class ParsedSpecs {
  readonly #parsed = new Map<string, ParsedSpec>();

  find(taskSeq: number, version: number): ParsedSpec | undefined {
    const key = `${taskSeq}:${version}`;
    const known = this.#parsed.get(key);
    if (known !== undefined) {
      // Put last again: the Map's order is the order of use.
      this.#parsed.delete(key);
      this.#parsed.set(key, known);
    }
    return known;
  }

  /** Parses a spec as it is stored and keeps it. @throws SyntaxError when it is not JSON: it was changed by hand. */
  keep(taskSeq: number, version: number, text: string): ParsedSpec {
    const spec = JSON.parse(text) as TaskSpec;
    const parsed = { spec, tagSet: tagSetOf(spec.runs_on) };
    this.#parsed.set(`${taskSeq}:${version}`, parsed);
    if (this.#parsed.size > MAX_SPECS) this.#parsed.delete(this.#parsed.keys().next().value as string);
    return parsed;
  }
}

function tagSetOf(tags: string[] | undefined): string {
  return tags === undefined || tags.length === 0 ? '' : JSON.stringify([...new Set(tags)].sort());
}
