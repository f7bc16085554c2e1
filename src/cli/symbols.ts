/** The marks that stand before a line. */
export interface Symbols {
  ok: string;
  fail: string;
  warn: string;
  skip: string;
  arrow: string;
  bullet: string;
  ellipsis: string;
  line: string;
}

const UNICODE: Symbols = {
  ok: '✔',
  fail: '✖',
  warn: '!',
  skip: '○',
  arrow: '→',
  bullet: '•',
  ellipsis: '…',
  line: '─',
};
const ASCII: Symbols = {
  ok: 'ok',
  fail: 'FAIL',
  warn: 'warn',
  skip: 'skip',
  arrow: '->',
  bullet: '*',
  ellipsis: '...',
  line: '-',
};

/** The symbols this terminal can show; plain ASCII unless the locale says UTF-8. */
export function symbolsFor(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): Symbols {
  return speaksUtf8(env, platform) ? UNICODE : ASCII;
}

function speaksUtf8(env: Readonly<Record<string, string | undefined>>, platform: NodeJS.Platform): boolean {
  if (env['TERM'] === 'linux') return false;
  if (platform === 'win32') return Boolean(env['WT_SESSION']) || env['TERM_PROGRAM'] === 'vscode';
  if (platform === 'darwin') return true;
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return /utf-?8/i.test(locale);
}
