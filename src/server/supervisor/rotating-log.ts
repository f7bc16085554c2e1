import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Appends lines to a file and keeps a bounded number of older ones beside it (`pao.log.1` is the newest). */
export class RotatingLog {
  #descriptor: number;
  #size: number;
  #broken = false;

  constructor(
    readonly file: string,
    private readonly maxBytes = 10 * 1024 * 1024,
    private readonly keep = 5,
  ) {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(file, 'a', 0o600);
    this.#size = statSync(file).size;
  }

  /** Writes one line. A full disk loses log lines, never the service. */
  write(line: string): void {
    const bytes = Buffer.from(`${line}\n`);
    try {
      if (this.#size + bytes.length > this.maxBytes) this.#rotate();
      writeSync(this.#descriptor, bytes);
      this.#size += bytes.length;
      this.#broken = false;
    } catch (error) {
      if (!this.#broken) process.emitWarning(`log file ${this.file}: ${String(error)}`, 'PaoLogWarning');
      this.#broken = true;
    }
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    for (let index = this.keep - 1; index >= 1; index--) {
      if (existsSync(`${this.file}.${index}`))
        renameSync(`${this.file}.${index}`, `${this.file}.${index + 1}`);
    }
    renameSync(this.file, `${this.file}.1`);
    this.#descriptor = openSync(this.file, 'a', 0o600);
    this.#size = 0;
  }
}
