import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildIfStale } from '../../scripts/build.mjs';
import { ATerminal } from './a-terminal.js';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

let folder: string;
let terminal: ATerminal;
let count = 0;
beforeAll(async () => {
  await buildIfStale();
  folder = mkdtempSync(join(tmpdir(), 'pao-prompt-'));
  terminal = await ATerminal.open(folder, { PAO_HOME: join(folder, 'data') });
});
afterAll(async () => {
  await terminal?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Types a command line, waits for its question, presses a key there and gives what stands on the screen then. */
async function answer(command: string, question: string, key: string): Promise<string> {
  const mark = `question-${++count}`;
  terminal.type(`clear; echo ${mark}\r`);
  await terminal.waitFor(() => terminal.lines()[0] === mark, 'a clear screen');
  terminal.type(`${command}; echo "ended: $?"\r`);
  await terminal.sees(question);
  terminal.type(key);
  await terminal.sees(/^ended: \d+$/m);
  return terminal.text();
}

it('ends with 130 for Ctrl-C at a question, shown or hidden; Ctrl-D is no, or what is proposed', async () => {
  const asked = [
    ['pao init', 'Time zone ['],
    ['pao secret set TOKEN', 'Value of TOKEN'],
    ['pao db migrate -q && pao db backup before.db -q && pao db restore before.db', '[y/N]'],
  ] as const;
  for (const [command, question] of asked) {
    const shown = await answer(command, question, CTRL_C);
    expect(shown).toMatch(/^✖ Interrupted\. \(PAO_INTERRUPTED\)\nended: 130$/m);
  }
  expect(existsSync(join(folder, '.pao'))).toBe(false);
  const restore = await answer('pao db restore before.db', '[y/N]', CTRL_D);
  expect(restore).toMatch(/^✖ Nothing was changed\. \(PAO_NOT_CONFIRMED\)\nended: 1$/m);
  const init = await answer('pao init', 'Time zone [', CTRL_D);
  expect(init).toMatch(/Wrote [^✖]*\nended: 0$/m);
});
