import type { Paint } from './colour.js';
import { visible } from './visible.js';

/** One column of a table. */
export interface Column<Row> {
  header: string;
  /** The text of a cell; null and undefined are shown as `-`. */
  value: (row: Row) => string | number | boolean | null | undefined;
  /** Numbers go to the right. */
  align?: 'left' | 'right';
  /** Colours a cell after it was laid out. */
  style?: (text: string, row: Row) => string;
  /** A column that gives up its width first when the terminal is too narrow. */
  shrink?: boolean;
}

export interface TableLayout {
  paint: Paint;
  ellipsis: string;
  /** Columns of the terminal; Infinity when there is none, and then nothing is cut. */
  width: number;
}

const GAP = 2;
const SMALLEST = 8;

/** Lays rows out under their headers, as lines without trailing spaces. */
export function formatTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  layout: TableLayout,
): string[] {
  const cells = rows.map((row) => columns.map((column) => visible(String(column.value(row) ?? '-'))));
  const widths = columns.map((column, index) =>
    Math.max(displayWidth(column.header), ...cells.map((line) => displayWidth(line[index] ?? ''))),
  );
  shrinkToFit(widths, columns, layout.width);
  const line = (texts: readonly string[], style: (text: string, column: number) => string) =>
    texts
      .map((text, index) => {
        const width = widths[index] ?? 0;
        const fitted = cutToWidth(text, width, layout.ellipsis);
        const pad = ' '.repeat(Math.max(0, width - displayWidth(fitted)));
        const styled = style(fitted, index);
        if (columns[index]?.align === 'right') return pad + styled;
        return index === texts.length - 1 ? styled : styled + pad;
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  return [
    line(
      columns.map((column) => column.header),
      (text) => layout.paint.dim(text),
    ),
    ...cells.map((texts, index) =>
      line(texts, (text, at) => columns[at]?.style?.(text, rows[index] as Row) ?? text),
    ),
  ];
}

function shrinkToFit(
  widths: number[],
  columns: readonly Column<never>[] | readonly unknown[],
  total: number,
): void {
  let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - total;
  const order = widths
    .map((width, index) => ({
      width,
      index,
      shrink: (columns[index] as { shrink?: boolean }).shrink ?? false,
    }))
    .sort((a, b) => Number(b.shrink) - Number(a.shrink) || b.width - a.width);
  for (const { index } of order) {
    if (over <= 0) return;
    const width = widths[index] ?? 0;
    const next = Math.max(Math.min(SMALLEST, width), width - over);
    over -= width - next;
    widths[index] = next;
  }
}

/** Columns a text takes in a terminal: wide characters (CJK, emoji) take two, combining marks none. */
export function displayWidth(text: string): number {
  // Printable ASCII is nearly everything, and needs no look at each character.
  if (/^[\u0020-\u007e]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}|\u200d|[\ufe00-\ufe0f]/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}

/** Cuts a text to a number of columns, with an ellipsis in place of what is missing. */
export function cutToWidth(text: string, width: number, ellipsis: string): string {
  if (displayWidth(text) <= width) return text;
  const room = Math.max(0, width - ellipsis.length);
  let kept = '';
  let used = 0;
  for (const character of text) {
    const next = used + displayWidth(character);
    if (next > room) break;
    kept += character;
    used = next;
  }
  return kept + ellipsis;
}
