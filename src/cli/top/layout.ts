import type { TopRow, TopSection } from './sections.js';

/** A section as far as there is room for it. */
export interface Placed {
  section: TopSection;
  rows: TopRow[];
  /** A line is left free above it. */
  gap: boolean;
}

/** Fewest columns of a screen that is divided in two. */
const WIDE = 110;
export const isWide = (columns: number): boolean => columns >= WIDE;

/**
 * Shares the lines of a column out among its sections: every section gets its title and a row, then each one more in turn,
 * the one with the selection first. Where even that is too much, sections are left out from the end.
 */
export function place(sections: readonly TopSection[], height: number, selected: string | null): Placed[] {
  const holds = ({ rows }: TopSection) => rows.some(({ key }) => key === selected);
  const least = (shown: readonly TopSection[]) =>
    shown.reduce((sum, { rows }) => sum + 1 + Math.min(1, rows.length), 0);
  const shown = [...sections];
  while (shown.length > 0 && least(shown) > height) {
    const at = shown.findLastIndex((section) => !holds(section));
    if (at === -1) break;
    shown.splice(at, 1);
  }
  const counts = shown.map(({ rows }) => Math.min(1, rows.length));
  let free = height - least(shown);
  const comfortable = shown.reduce((sum, { rows }) => sum + Math.max(0, Math.min(3, rows.length) - 1), 0);
  const gap = free >= comfortable + shown.length - 1;
  if (gap) free -= shown.length - 1;
  const order = shown
    .map((_, index) => index)
    .sort((a, b) => Number(holds(shown[b] as TopSection)) - Number(holds(shown[a] as TopSection)));
  for (let isGiven = true; free > 0 && isGiven; ) {
    isGiven = false;
    for (const index of order) {
      const count = counts[index] ?? 0;
      if (free === 0 || count >= (shown[index]?.rows.length ?? 0)) continue;
      counts[index] = count + 1;
      free -= 1;
      isGiven = true;
    }
  }
  return shown.map((section, index) => ({
    section,
    rows: windowOf(section.rows, counts[index] ?? 0, selected),
    gap: gap && index > 0,
  }));
}

/** So many rows, around the one that is selected. */
function windowOf(rows: readonly TopRow[], count: number, selected: string | null): TopRow[] {
  const at = Math.max(
    0,
    rows.findIndex(({ key }) => key === selected),
  );
  const from = Math.max(0, Math.min(at - Math.floor(count / 2), rows.length - count));
  return rows.slice(from, from + count);
}
