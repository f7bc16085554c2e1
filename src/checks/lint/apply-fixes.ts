import { renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Edit } from './finding.js';

/** The text with the edits made; an edit that overlaps an earlier one is left for the next round. */
export function applyEdits(text: string, fixes: readonly Edit[][]): { text: string; applied: number } {
  const taken: Edit[] = [];
  let applied = 0;
  for (const fix of fixes) {
    if (fix.some((edit) => taken.some((other) => edit.start < other.end && other.start < edit.end))) continue;
    taken.push(...fix);
    applied += 1;
  }
  taken.sort((a, b) => b.start - a.start);
  const fixed = taken.reduce(
    (before, { start, end, text: put }) => before.slice(0, start) + put + before.slice(end),
    text,
  );
  return { text: fixed, applied };
}

/** Writes a file whole or not at all; its mode stays. */
export function replaceFile(path: string, text: string): void {
  const unfinished = join(dirname(path), `.${basename(path)}.${process.pid}`);
  writeFileSync(unfinished, text, { mode: statSync(path).mode });
  renameSync(unfinished, path);
}
