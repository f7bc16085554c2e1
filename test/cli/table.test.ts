import { describe, expect, it } from 'vitest';
import { paintFor } from '../../src/cli/colour.js';
import { type Column, cutToWidth, displayWidth, formatTable } from '../../src/cli/table.js';
import { visible } from '../../src/cli/visible.js';

interface Row {
  name: string;
  runs: number | null;
  note: string;
}
const columns: Column<Row>[] = [
  { header: 'NAME', value: (row) => row.name },
  { header: 'RUNS', value: (row) => row.runs, align: 'right' },
  { header: 'NOTE', value: (row) => row.note, shrink: true },
];
const layout = { paint: paintFor(false), ellipsis: '…', width: Infinity };

describe('table', () => {
  it('aligns columns, numbers to the right, without trailing spaces', () => {
    const rows = [
      { name: 'briefing', runs: 12, note: 'fine' },
      { name: 'b', runs: null, note: '' },
    ];
    expect(formatTable(rows, columns, layout)).toEqual([
      'NAME      RUNS  NOTE',
      'briefing    12  fine',
      'b            -',
    ]);
  });

  it('shortens the column that may shrink, to the width of the terminal', () => {
    const rows = [{ name: 'briefing', runs: 1, note: 'x'.repeat(100) }];
    const lines = formatTable(rows, columns, { ...layout, width: 40 });
    expect(lines[1]).toBe(`briefing     1  ${'x'.repeat(23)}…`);
    expect(displayWidth(lines[1] ?? '')).toBe(40);
  });

  it('leaves ids whole, as they are to be copied, and leaves out what may be', () => {
    const id = `run_${'0'.repeat(32)}`;
    const some: Column<Row>[] = [
      { header: 'ID', value: () => id },
      ...columns,
      { header: 'WHEN', value: () => 'Wed 25 Nov 2026 08:30', drop: true },
    ];
    const rows = [{ name: 'morning-briefing', runs: 1, note: 'x'.repeat(100) }];
    const [header, line] = formatTable(rows, some, { ...layout, width: 80 });
    expect(header).toMatch(/^ID +NAME +RUNS +NOTE$/);
    expect(line).toMatch(new RegExp(`^${id}  morning-briefing +1  x+…$`));
    expect(displayWidth(line ?? '')).toBe(80);
    expect(formatTable(rows, some, layout)[0]).toMatch(/WHEN$/);
  });

  it('counts wide characters as two columns and marks as none', () => {
    expect(displayWidth('日本')).toBe(4);
    expect(displayWidth('e\u0301')).toBe(1);
    expect(displayWidth('✔')).toBe(1);
    expect(cutToWidth('日本語', 5, '…')).toBe('日本…');
  });

  it('shows control characters instead of obeying them', () => {
    const rows = [{ name: 'a\u001b[31mb\nc', runs: 1, note: '\u202egnp.exe' }];
    expect(formatTable(rows, columns, layout)[1]).toBe('a\\x1b[31mb\\nc     1  \\u202egnp.exe');
    expect(visible('one\ntwo\u0007', true)).toBe('one\ntwo\\x07');
  });
});
