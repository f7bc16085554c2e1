import type { Output } from '../output.js';
import { machineTime } from '../render/task-time.js';
import { displayWidth } from '../table.js';
import { healthLine, numbersLine } from './headline.js';
import { sectionsOf, type Tone } from './sections.js';
import type { TopSnapshot } from './snapshot.js';

/** A snapshot as text, for a pipe, a file, or a terminal that draws nothing. */
export function showSnapshot(snapshot: TopSnapshot, out: Output): void {
  const { paint, symbols } = out;
  out.line(healthLine(snapshot, paint));
  out.line(numbersLine(snapshot, paint, symbols.bullet));
  out.line(paint.dim(machineTime(snapshot.at)));
  for (const { title, rows, empty } of sectionsOf(snapshot)) {
    out.line();
    if (rows.length === 0) {
      out.line(`${paint.bold(title)}: ${empty}`);
      continue;
    }
    out.line(paint.bold(title));
    const width = Math.max(...rows.map(({ name }) => displayWidth(name)));
    for (const { tone, name, detail, note } of rows) {
      const pad = ' '.repeat(width - displayWidth(name));
      const tail = note === '' ? '' : paint.dim(`  ${detail === '' ? note : `(${note})`}`);
      out.line(`  ${markOf(tone, out)} ${name}${pad}  ${detail}${tail}`.trimEnd());
    }
  }
}

/** The mark of a tone, one column wide in a terminal that has the characters. */
export function markOf(tone: Tone, { paint, symbols }: Pick<Output, 'paint' | 'symbols'>): string {
  const isWide = symbols.fail.length > 1;
  if (tone === 'bad') return paint.red(isWide ? 'x' : symbols.fail);
  if (tone === 'warn') return paint.yellow('!');
  if (tone === 'good') return paint.green(isWide ? '>' : '▸');
  return ' ';
}
