import { describe, expect, it } from 'vitest';
import { progressStyle } from '../../src/cli/progress.js';

const person = { json: false, quiet: false, verbose: false, hasScreen: true };

describe('progress', () => {
  it.each([
    ['is drawn for a person at a terminal', person, {}, 'default'],
    ['is plain lines without a terminal', { ...person, hasScreen: false }, {}, 'simple'],
    ['is plain lines in CI', person, { CI: 'true' }, 'simple'],
    ['is plain lines on a dumb terminal', person, { TERM: 'dumb' }, 'simple'],
    ['says everything with --verbose', { ...person, verbose: true }, {}, 'verbose'],
    ['is silent with --quiet', { ...person, quiet: true, verbose: true }, {}, 'silent'],
    ['is silent with --json', { ...person, json: true }, {}, 'silent'],
  ] as const)('%s', (_, out, env, expected) => {
    expect(progressStyle(out, env)).toBe(expected);
  });
});
