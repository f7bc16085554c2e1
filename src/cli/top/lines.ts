import type { Output } from '../output.js';
import { cutToWidth, displayWidth } from '../table.js';
import { markOf } from './plain.js';
import type { Placed } from './layout.js';
import type { TopRow } from './sections.js';

/** One line of the screen. */
export interface ScreenLine {
  text: string;
  isSelected?: boolean;
}

/** The lines of a column: titles, rows and what stands in place of rows, each no wider than the column. */
export function columnLines(
  placed: readonly Placed[],
  width: number,
  selected: string | null,
  out: Output,
): ScreenLine[] {
  const { paint } = out;
  return placed.flatMap(({ section, rows, gap }) => {
    const above = gap ? [{ text: '' }] : [];
    if (rows.length === 0) {
      const { title, empty } = section;
      return [
        ...above,
        {
          text: `${paint.bold(title)}${paint.dim(`: ${cutToWidth(empty, Math.max(0, width - displayWidth(title) - 2), out.symbols.ellipsis)}`)}`,
        },
      ];
    }
    const names = Math.min(
      Math.floor(width * 0.4),
      Math.max(...section.rows.map(({ name }) => displayWidth(name))),
    );
    return [
      ...above,
      { text: paint.bold(section.title) },
      ...rows.map((row) => ({
        text: rowText(row, width, names, row.key === selected, out),
        isSelected: row.key === selected,
      })),
    ];
  });
}

function rowText(row: TopRow, width: number, names: number, isSelected: boolean, out: Output): string {
  const { paint, symbols } = out;
  const { ellipsis } = symbols;
  const point = isSelected ? (ellipsis.length > 1 ? '>' : '›') : ' ';
  const name = padTo(cutToWidth(row.name, names, ellipsis), names);
  const room = Math.max(0, width - names - 6);
  const note = cutToWidth(
    row.note,
    Math.max(Math.floor(room / 2), room - displayWidth(row.detail) - 1),
    ellipsis,
  );
  const left = Math.max(0, room - displayWidth(note) - (note === '' ? 0 : 1));
  const detail = padTo(cutToWidth(row.detail, left, ellipsis), left);
  // Marks and dim text inside of a line that is shown inverse would end the inversion in some terminals.
  const tail = note === '' ? '' : ` ${isSelected ? note : paint.dim(note)}`;
  return `${point} ${markOf(row.tone, out)} ${name}  ${detail}${tail}`;
}

const padTo = (text: string, width: number) => text + ' '.repeat(Math.max(0, width - displayWidth(text)));
