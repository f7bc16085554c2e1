import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import xterm from '@xterm/headless';
import { root } from './a-process.js';

const WAIT_MS = 40_000;
const PROMPT = 'person> ';

/** A terminal with a shell in it, as a person has one: a real pty (of script), and what stands on its screen. */
export class ATerminal {
  readonly #screen: xterm.Terminal;
  #ended = false;
  /** All that was written, for what a screen does not keep. */
  written = '';

  private constructor(
    private readonly child: ReturnType<typeof spawn>,
    private readonly folder: string,
    size: { cols: number; rows: number },
  ) {
    this.#screen = new xterm.Terminal({ ...size, scrollback: 1000, allowProposedApi: true });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.written += text;
      this.#screen.write(text);
    });
    child.once('close', () => {
      this.#ended = true;
    });
  }

  /** Opens one, with `pao` in its PATH as the build of this folder. @param folder for what it keeps while it is open. */
  static async open(
    folder: string,
    env: Record<string, string>,
    size = { cols: 80, rows: 24 },
  ): Promise<ATerminal> {
    const child = spawn('script', ['-qfec', 'bash --norc --noprofile -i', '/dev/null'], {
      cwd: folder,
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        LANG: 'C.UTF-8',
        TERM: 'xterm-256color',
        SHELL: '/bin/bash',
        HISTFILE: '',
        ...env,
      },
    });
    const terminal = new ATerminal(child, folder, size);
    await terminal.sees(/[#$] *$/m);
    const pao = `PAO="${process.execPath} ${join(root, 'bin', 'run.cjs')}"; pao() { $PAO "$@"; }`;
    terminal.type(
      `PS1='${PROMPT}'; stty cols ${size.cols} rows ${size.rows}; tty > tty; ${pao}; clear; echo open\r`,
    );
    await terminal.waitFor(() => terminal.lines().includes('open'), 'the shell');
    return terminal;
  }

  /** Presses keys. */
  type(keys: string): void {
    this.child.stdin?.write(keys);
  }

  /** What stands on the screen, line by line, without what is empty at the end of each. */
  lines(): string[] {
    const { active } = this.#screen.buffer;
    return Array.from(
      { length: this.#screen.rows },
      (_, index) =>
        active
          .getLine(active.viewportY + index)
          ?.translateToString(true)
          .trimEnd() ?? '',
    );
  }

  text(): string {
    return this.lines().join('\n');
  }

  /** Whether a program has turned to the other screen. */
  get isOther(): boolean {
    return this.#screen.buffer.active.type === 'alternate';
  }

  async sees(text: string | RegExp): Promise<void> {
    await this.waitFor(
      () => (typeof text === 'string' ? this.text().includes(text) : text.test(this.text())),
      String(text),
    );
  }

  async waitFor(isSo: () => boolean, what: string): Promise<void> {
    const until = performance.now() + WAIT_MS;
    while (!isSo()) {
      if (performance.now() > until || this.#ended)
        throw new Error(`Never seen: ${what}. The screen:\n${this.text()}`);
      await sleep(20);
    }
  }

  /** The device of the terminal. */
  tty(): string {
    return readFileSync(join(this.folder, 'tty'), 'utf8').trim();
  }

  /** Makes the window another size; the program gets SIGWINCH. */
  async resize(cols: number, rows: number): Promise<void> {
    this.#screen.resize(cols, rows);
    const stty = spawn('stty', ['-F', this.tty(), 'cols', String(cols), 'rows', String(rows)]);
    await new Promise((resolve) => stty.once('close', resolve));
  }

  /** Ends it, and what runs in it. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const ended = new Promise((resolve) => this.child.once('close', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}
