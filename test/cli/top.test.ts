import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { place } from '../../src/cli/top/layout.js';
import { columnLines } from '../../src/cli/top/lines.js';
import type { TopSection } from '../../src/cli/top/sections.js';
import { Output } from '../../src/cli/output.js';
import { displayWidth } from '../../src/cli/table.js';

const out = new Output({
  stdout: process.stdout,
  stderr: process.stderr,
  env: { LANG: 'C.UTF-8' },
  colour: { stdout: false, stderr: false },
});
const words = fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => text.replace(/\p{C}/gu, '?'));
const sections = fc
  .array(fc.array(fc.tuple(words, words, words), { maxLength: 12 }), { maxLength: 8 })
  .map((all) =>
    all.map(
      (rows, at): TopSection => ({
        id: String(at),
        title: `Section ${at}`,
        empty: 'nothing',
        column: 'left',
        rows: rows.map(([name, detail, note], index) => ({
          key: `${at}.${index}`,
          tone: 'plain',
          name,
          detail,
          note,
          target: { kind: 'check', id: name },
        })),
      }),
    ),
  );

describe('the layout of pao top', () => {
  it('never takes more lines or columns than there are, and always shows what is selected', () => {
    fc.assert(
      fc.property(
        sections,
        fc.nat(40),
        fc.integer({ min: 12, max: 160 }),
        fc.nat(),
        (all, height, width, pick) => {
          const keys = all.flatMap(({ rows }) => rows.map(({ key }) => key));
          const selected = keys[pick % Math.max(1, keys.length)] ?? null;
          const lines = columnLines(place(all, height, selected), width, selected, out);
          if (height >= 2) expect(lines.length).toBeLessThanOrEqual(height);
          for (const { text } of lines) expect(displayWidth(text)).toBeLessThanOrEqual(Math.max(width, 18));
          if (selected !== null) expect(lines.filter(({ isSelected }) => isSelected)).toHaveLength(1);
        },
      ),
    );
  });

  it('leaves no line free while a section has more to show', () => {
    fc.assert(
      fc.property(sections, fc.integer({ min: 20, max: 40 }), (all, height) => {
        const placed = place(all, height, null);
        const used = columnLines(placed, 80, null, out).length;
        const isCut = placed.some(({ section, rows }) => rows.length < section.rows.length);
        if (isCut) expect(used).toBe(height);
      }),
    );
  });
});
