import { type Paint, paintFor } from './colour.js';
import { type Symbols, symbolsFor } from './symbols.js';
import { type Column, formatTable } from './table.js';

/** A stream that text can be written to, and what is known about it. */
export interface OutputStream {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

export interface OutputOptions {
  stdout: OutputStream;
  stderr: OutputStream;
  env: Readonly<Record<string, string | undefined>>;
  /** Colour on stdout, and on stderr: one may be a terminal and the other a pipe. */
  colour: { stdout: boolean; stderr: boolean };
  /** The answer is one JSON document: nothing else may reach stdout. */
  json?: boolean;
  quiet?: boolean;
  verbose?: boolean;
}

/** Where a command writes: stdout is the answer, stderr is everything else. */
export class Output {
  /** Colours for stdout. */
  readonly paint: Paint;
  /** Colours for stderr. */
  readonly paintNote: Paint;
  readonly symbols: Symbols;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly #stdout: OutputStream;
  readonly #stderr: OutputStream;

  constructor(readonly options: OutputOptions) {
    this.#stdout = options.stdout;
    this.#stderr = options.stderr;
    this.paint = paintFor(options.colour.stdout);
    this.paintNote = paintFor(options.colour.stderr);
    this.symbols = symbolsFor(options.env);
    this.json = options.json ?? false;
    this.quiet = options.quiet ?? false;
    this.verbose = options.verbose ?? false;
  }

  /** Columns of the terminal the answer goes to; Infinity when it goes to a pipe or file, where nothing is cut. */
  get width(): number {
    return this.#stdout.isTTY ? Math.max(40, this.#stdout.columns || 80) : Infinity;
  }

  /** Whether a person sits at the terminal stderr goes to. */
  get isInteractive(): boolean {
    return Boolean(this.#stderr.isTTY);
  }

  /** Whether lines can be drawn again on stderr: not on a terminal that does not know how wide it is (`script`). */
  get hasScreen(): boolean {
    return this.isInteractive && this.#stderr.columns !== 0;
  }

  /** A line of the answer, for people; silent with `--json`. */
  line(text = ''): void {
    if (!this.json) this.#stdout.write(`${text}\n`);
  }

  /** Text of the answer as it is, without a line end; silent with `--json`. */
  raw(text: string): void {
    if (!this.json) this.#stdout.write(text);
  }

  /** Rows under headers; with no rows, `empty` goes to stderr. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], empty = 'Nothing to show.'): void {
    if (this.json) return;
    if (rows.length === 0) {
      this.note(empty);
      return;
    }
    const layout = { paint: this.paint, ellipsis: this.symbols.ellipsis, width: this.width };
    this.#stdout.write(`${formatTable(rows, columns, layout).join('\n')}\n`);
  }

  /** Names and values under one another, the values aligned. */
  pairs(pairs: readonly (readonly [name: string, value: string])[], indent = ''): void {
    const width = Math.max(0, ...pairs.map(([name]) => name.length));
    for (const [name, value] of pairs) {
      this.line(`${indent}${this.paint.dim(name.padEnd(width))}  ${value}`.trimEnd());
    }
  }

  /** The one JSON document of a command, whatever the other settings are. */
  document(value: unknown): void {
    this.#stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One event of a command that runs on, as a line of JSON (NDJSON). */
  event(value: unknown): void {
    this.#stdout.write(`${JSON.stringify(value)}\n`);
  }

  /** A remark on stderr; silent with `--quiet`. */
  note(text = ''): void {
    if (!this.quiet) this.#stderr.write(`${text}\n`);
  }

  /** A remark on stderr that only `--verbose` shows. */
  detail(text: string): void {
    if (this.verbose && !this.quiet) this.#stderr.write(`${this.paintNote.dim(text)}\n`);
  }

  /** Something that went well, on stderr. */
  success(text: string): void {
    this.note(`${this.paintNote.green(this.symbols.ok)} ${text}`);
  }

  /** Something a person should know; shown even with `--quiet`. */
  warn(text: string): void {
    this.#stderr.write(`${this.paintNote.yellow(this.symbols.warn)} ${text}\n`);
  }

  /** What to type next, on a line of its own that can be copied. */
  hint(text: string): void {
    this.note(`${this.paintNote.cyan(this.symbols.arrow)} ${text}`);
  }

  /** An error's text, whatever the other settings are. */
  failure(text: string): void {
    this.#stderr.write(`${text}\n`);
  }
}
