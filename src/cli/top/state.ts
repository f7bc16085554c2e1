import { sectionsOf, type Tone, type TopRow, type TopSection } from './sections.js';
import type { TopSnapshot } from './snapshot.js';

/** A question at the foot of the screen; any key that is not offered leaves it. */
export interface Question {
  text: string;
  /** What it is about, in place of the sections while it is asked. */
  about?: string;
  /** What Esc does, in a word or two. */
  leave: string;
  answers: { key: string; label: string; act: () => Promise<string> }[];
}

export type Mode =
  | { kind: 'list' }
  | { kind: 'filter' }
  | { kind: 'help' }
  | { kind: 'question'; question: Question; before: Mode; scroll: number }
  /** `text` is null while it is fetched. */
  | { kind: 'details'; row: TopRow; text: string | null; scroll: number };

/** Why nothing newer is shown. */
export interface Lost {
  /** Nothing answers; otherwise it was an answer, and no good one. */
  isAway: boolean;
  message: string;
  hint: string | null;
  /** The time of day of what is shown. */
  since: string;
}

/** All that decides what stands on the screen. */
export interface TopState {
  snapshot: TopSnapshot;
  /** Those that the filter lets through. */
  sections: TopSection[];
  selected: string | null;
  filter: string;
  mode: Mode;
  /** What became of the last key. */
  notice: { tone: Tone; text: string } | null;
  /** Set while the server does not answer. */
  lost: Lost | null;
  columns: number;
  rows: number;
}

/** The state, and who wants to hear that it changed. */
export class TopStore {
  #state: TopState;
  readonly #listeners = new Set<() => void>();

  constructor(snapshot: TopSnapshot, size: { columns: number; rows: number }) {
    const sections = sectionsOf(snapshot);
    this.#state = {
      snapshot,
      sections,
      selected: rowsOf(sections)[0]?.key ?? null,
      filter: '',
      mode: { kind: 'list' },
      notice: null,
      lost: null,
      ...size,
    };
  }

  get state(): TopState {
    return this.#state;
  }

  /** As React wants it: bound, and returning how to stop. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Changes a part of the state; what is shown and selected follows from the snapshot and the filter. */
  change(part: Partial<Omit<TopState, 'sections'>>): void {
    const before = this.#state;
    const next = { ...before, ...part };
    if (part.snapshot !== undefined || part.filter !== undefined) {
      next.sections = filtered(sectionsOf(next.snapshot), next.filter);
      next.selected = stillSelected(before, next.sections);
    }
    this.#state = next;
    for (const listener of this.#listeners) listener();
  }

  /** Moves the selection by so many rows. */
  move(by: number): void {
    const rows = rowsOf(this.#state.sections);
    const at = rows.findIndex(({ key }) => key === this.#state.selected);
    const to = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
    this.change({ selected: to?.key ?? null, notice: null });
  }

  /** Moves the selection to the first row of the next section that has one, or of the one before. */
  moveSection(by: 1 | -1): void {
    const { sections, selected } = this.#state;
    const filled = sections.filter(({ rows }) => rows.length > 0);
    const at = filled.findIndex(({ rows }) => rows.some(({ key }) => key === selected));
    const to = filled[(at + by + filled.length) % Math.max(1, filled.length)];
    this.change({ selected: to?.rows[0]?.key ?? null, notice: null });
  }

  /** The row that keys act on. */
  get row(): TopRow | null {
    return rowsOf(this.#state.sections).find(({ key }) => key === this.#state.selected) ?? null;
  }
}

const rowsOf = (sections: readonly TopSection[]): TopRow[] => sections.flatMap(({ rows }) => rows);

function filtered(sections: TopSection[], filter: string): TopSection[] {
  const wanted = filter.trim().toLowerCase();
  if (wanted === '') return sections;
  return sections.map((section) => {
    const rows = section.rows.filter(({ name, detail }) =>
      `${name} ${detail}`.toLowerCase().includes(wanted),
    );
    const title = section.title.replace(/ \d+$/, '');
    return {
      ...section,
      rows,
      title: rows.length === 0 ? title : `${title} ${rows.length}`,
      empty: section.rows.length === 0 ? section.empty : 'none like that',
    };
  });
}

/** What was selected, or what stands where it stood. */
function stillSelected({ sections, selected }: TopState, next: readonly TopSection[]): string | null {
  const rows = rowsOf(next);
  if (rows.some(({ key }) => key === selected)) return selected;
  const at = rowsOf(sections).findIndex(({ key }) => key === selected);
  return (rows[Math.max(0, Math.min(at, rows.length - 1))] ?? null)?.key ?? null;
}
