import { describe, expect, it } from 'vitest';
import { decideColour, paintFor, tellLibraries } from '../../src/cli/colour.js';
import { symbolsFor } from '../../src/cli/symbols.js';

describe('colour', () => {
  it.each([
    ['a terminal has colour', { isTTY: true }, true],
    ['a pipe has none', { isTTY: false }, false],
    [
      '--no-color wins over everything',
      { isTTY: true, argv: ['--no-color'], env: { FORCE_COLOR: '1' } },
      false,
    ],
    ['--no-color after -- is data', { isTTY: true, argv: ['--', '--no-color'] }, true],
    ['NO_COLOR switches it off', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['an empty NO_COLOR says nothing', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['FORCE_COLOR switches it on in a pipe', { isTTY: false, env: { FORCE_COLOR: '1' } }, true],
    ['FORCE_COLOR goes before NO_COLOR', { isTTY: false, env: { FORCE_COLOR: '1', NO_COLOR: '1' } }, true],
    ['FORCE_COLOR=0 switches it off', { isTTY: true, env: { FORCE_COLOR: '0' } }, false],
    ['a dumb terminal has none', { isTTY: true, env: { TERM: 'dumb' } }, false],
  ] as const)('%s', (_, situation, expected) => {
    expect(decideColour({ argv: [], env: {}, ...situation })).toBe(expected);
  });

  it('makes libraries obey, whatever was set before', () => {
    const off = { FORCE_COLOR: '1' };
    tellLibraries(false, off);
    expect(off).toEqual({ NO_COLOR: '1', FORCE_COLOR: '0' });
    const on = { NO_COLOR: '1' };
    tellLibraries(true, on);
    expect(on).toEqual({ FORCE_COLOR: '1' });
  });

  it('paints nothing when it is off', () => {
    expect(paintFor(false).red('text')).toBe('text');
    expect(paintFor(true).red('text')).toBe('\u001b[31mtext\u001b[39m');
  });

  it('shows plain ASCII marks unless the locale says UTF-8', () => {
    expect(symbolsFor({ LANG: 'en_US.UTF-8' }, 'linux').ok).toBe('✔');
    expect(symbolsFor({ LANG: 'en_US.UTF-8', LC_ALL: 'C' }, 'linux').ok).toBe('ok');
    expect(symbolsFor({}, 'linux').fail).toBe('FAIL');
    expect(symbolsFor({ LANG: 'en_US.UTF-8', TERM: 'linux' }, 'linux').arrow).toBe('->');
  });
});
