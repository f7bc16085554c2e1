import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeError } from '../../src/cli/describe-error.js';
import { Output } from '../../src/cli/output.js';
import { errorDocument, showError } from '../../src/cli/show-error.js';
import { EXIT, invalidInput, PaoError } from '../../src/domain/errors.js';
import { makeFolder } from '../../src/server/supervisor/make-folder.js';

function shown(error: unknown, showStack = false): string {
  let text = '';
  const stream = { write: (part: string) => (text += part) };
  const out = new Output({
    stdout: { write: () => expect.unreachable('stdout is the answer') },
    stderr: stream,
    env: { LANG: 'C.UTF-8' },
    colour: { stdout: false, stderr: false },
  });
  showError(describeError(error), out, showStack);
  return text;
}

describe('errors', () => {
  it('show every problem with its place, and hints on lines of their own', () => {
    const error = invalidInput(
      'The task is invalid.',
      [
        { pointer: '/schedule/expr', message: 'No such field.', hint: 'Use BYDAY' },
        { pointer: '', message: 'Unknown key "nam".', line: 3, column: 1 } as never,
      ],
      ['pao task apply briefing.yaml'],
    );
    expect(shown(error).split('\n')).toEqual([
      '✖ The task is invalid. (PAO_INPUT_INVALID)',
      '  • /schedule/expr: No such field.',
      '    → Use BYDAY',
      '  • line 3, column 1: Unknown key "nam".',
      '→ pao task apply briefing.yaml',
      '',
    ]);
  });

  it('do not let a hostile message steer the terminal', () => {
    expect(shown(new PaoError('PAO_X', 'bad \u001b]0;title\u0007'))).toBe(
      '✖ bad \\x1b]0;title\\x07 (PAO_X)\n',
    );
  });

  it('that are bugs end with 70 and keep the stack to themselves', () => {
    const bug = new TypeError('x is undefined');
    expect(describeError(bug)).toMatchObject({ code: 'PAO_BUG', exitCode: EXIT.bug });
    expect(shown(bug)).not.toContain('errors.test');
    expect(shown(bug, true)).toContain('errors.test');
    expect(JSON.stringify(errorDocument(describeError(bug)))).not.toContain('errors.test');
  });

  it('of the system are told in words', () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
    expect(describeError(full)).toMatchObject({ code: 'PAO_DISK_FULL', exitCode: EXIT.unavailable });
    const denied = Object.assign(new Error('EACCES'), { code: 'EACCES', syscall: 'open', path: '/root/x' });
    expect(describeError(denied)).toMatchObject({
      message: 'No permission: /root/x',
      hints: ['ls -ld /root/x'],
    });
  });

  it('say where no folder can be made: Node.js alone would try for ever in /proc', () => {
    let thrown: unknown;
    try {
      makeFolder('/proc/no such/folder');
    } catch (error) {
      thrown = error;
    }
    expect(describeError(thrown)).toMatchObject({
      code: 'PAO_FOLDER',
      message: 'No folder can be made here: /proc/no such',
      hints: ['ls -ld /proc'],
      exitCode: EXIT.unavailable,
    });
  });

  it('say where a file has the name of a folder', () => {
    let thrown: unknown;
    try {
      makeFolder(`${fileURLToPath(import.meta.url)}/logs`);
    } catch (error) {
      thrown = error;
    }
    expect(describeError(thrown)).toMatchObject({
      code: 'PAO_FOLDER',
      message: `No folder can be made here: ${fileURLToPath(import.meta.url)}`,
    });
  });

  it('that come of a signal end with 130 or 143', () => {
    const abort = new DOMException('aborted', 'AbortError');
    expect(describeError(abort, { interruptedBy: 'SIGINT' }).exitCode).toBe(130);
    expect(describeError(abort, { interruptedBy: 'SIGTERM' }).exitCode).toBe(143);
    expect(describeError(abort).exitCode).toBe(EXIT.bug);
  });
});
