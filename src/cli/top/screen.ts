import { EventEmitter } from 'node:events';
import type { WriteStream } from 'node:tty';

const ENTER = '\u001b[?1049h\u001b[?25l\u001b[2J\u001b[H';
const LEAVE = '\u001b[?25h\u001b[?1049l';

/**
 * The terminal's other screen, as the stream that Ink writes to. It is given back however the process ends, but by SIGKILL.
 * Rows are without end for Ink: at a screen that is full it clears the terminal with all that scrolled out of it.
 */
export class Screen extends EventEmitter {
  readonly isTTY = true;
  readonly rows = Number.MAX_SAFE_INTEGER;
  readonly writable = true;
  #isOpen = false;

  constructor(private readonly stdout: WriteStream) {
    super();
  }

  get columns(): number {
    return this.stdout.columns || 80;
  }

  /** Lines the terminal really has. */
  get height(): number {
    return this.stdout.rows || 24;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get writableLength(): number {
    return this.stdout.writableLength;
  }

  write(text: string, done?: () => void): boolean {
    if (this.#isOpen) return this.stdout.write(text, done);
    done?.();
    return true;
  }

  /** Turns to the other screen. */
  open(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.stdout.write(ENTER);
  }

  /** Turns back to the screen that was there, with its cursor. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.stdout.write(LEAVE);
  }

  /** Empties the screen, for a drawing that begins anew. */
  clear(): void {
    if (this.#isOpen) this.stdout.write('\u001b[2J\u001b[H');
  }
}
