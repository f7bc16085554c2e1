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
  /** A column that is left out as a whole where there is no room for all of it. */
  drop?: boolean;
  /** Never cut, as it is there to be copied; `ID` is so by itself. */
  keep?: boolean;
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
  given: readonly Column<Row>[],
  layout: TableLayout,
): string[] {
  const all = given.map((column) => {
    const texts = rows.map((row) => visible(String(column.value(row) ?? '-')));
    return { column, texts, width: Math.max(displayWidth(column.header), ...texts.map(displayWidth)) };
  });
  const shown = leaveOut(all, layout.width);
  const columns = shown.map(({ column }) => column);
  const cells = rows.map((_, row) => shown.map(({ texts }) => texts[row] ?? ''));
  const widths = shown.map(({ width }) => width);
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

const isKept = ({ keep, header }: Pick<Column<never>, 'keep' | 'header'>): boolean => keep ?? header === 'ID';

/** Without the columns that may be left out and have no room, the last of them first. */
function leaveOut<Sized extends { column: Pick<Column<never>, 'keep' | 'header' | 'drop'>; width: number }>(
  all: readonly Sized[],
  total: number,
): Sized[] {
  const shown = [...all];
  const needed = () =>
    shown.reduce((sum, { column, width }) => {
      const least = column.drop || isKept(column) ? width : Math.min(SMALLEST, width);
      return sum + least + GAP;
    }, -GAP);
  while (needed() > total) {
    const at = shown.findLastIndex(({ column }) => column.drop);
    if (at === -1) break;
    shown.splice(at, 1);
  }
  return shown;
}

function shrinkToFit(
  widths: number[],
  columns: readonly Pick<Column<never>, 'keep' | 'header' | 'shrink'>[],
  total: number,
): void {
  let over = widths.reduce((sum, width) => sum + width + GAP, -GAP) - total;
  const order = columns
    .map((column, index) => ({ column, index, width: widths[index] ?? 0, shrink: column.shrink ?? false }))
    .filter(({ column }) => !isKept(column))
    .sort((a, b) => Number(b.shrink) - Number(a.shrink) || b.width - a.width);
  for (const { index, width } of order) {
    if (over <= 0) return;
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
