/** What decides about colour; all of it passed in, so that it can be tested. */
export interface ColourSituation {
  argv: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  /** Whether the stream that is written to is a terminal. */
  isTTY: boolean;
}

/**
 * Whether a stream gets colour: `--no-color`, then FORCE_COLOR, then NO_COLOR, then TERM, then the terminal.
 * FORCE_COLOR goes before NO_COLOR as in Node itself.
 */
export function decideColour({ argv, env, isTTY }: ColourSituation): boolean {
  const end = argv.indexOf('--');
  if ((end === -1 ? argv : argv.slice(0, end)).includes('--no-color')) return false;
  const force = env['FORCE_COLOR'];
  if (force !== undefined) return force !== '0' && force !== 'false';
  if (env['NO_COLOR']) return false;
  return isTTY && env['TERM'] !== 'dumb';
}

/**
 * Makes every library obey the one decision. chalk ignores NO_COLOR and listr2 ignores FORCE_COLOR=0, so both are set.
 */
export function tellLibraries(enabled: boolean, env: Record<string, string | undefined>): void {
  if (enabled) {
    delete env['NO_COLOR'];
    env['FORCE_COLOR'] = '1';
  } else {
    env['NO_COLOR'] = '1';
    env['FORCE_COLOR'] = '0';
  }
}

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  underline: [4, 24],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  blue: [34, 39],
  magenta: [35, 39],
  cyan: [36, 39],
} as const;

/** Functions that colour a text, or give it back as it is. Meaning is never carried by colour alone. */
export type Paint = Record<keyof typeof CODES, (text: string) => string>;

/** The paint for a stream that has colour, or has not. */
export function paintFor(enabled: boolean): Paint {
  const entries = Object.entries(CODES).map(([name, [open, close]]) => [
    name,
    (text: string) => (enabled && text !== '' ? `\u001b[${open}m${text}\u001b[${close}m` : text),
  ]);
  return Object.fromEntries(entries) as Paint;
}
