// Makes docs/terminal.svg, the picture in the README, from what the built pao really writes: a system in a temporary home
// with the demo servers runs the morning briefing. Usage: node scripts/picture.mjs
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'pao-picture-'));
const COLUMNS = 112;
const [CELL, LINE, SIZE] = [7.83, 18, 13];
const COLOURS = {
  31: '#f47067',
  32: '#8ddb8c',
  33: '#e0b64d',
  34: '#6cb6ff',
  35: '#dcbdfb',
  36: '#56d4dd',
  90: '#768390',
};

/** Runs one command and gives what a terminal would show, the person's home in place of the temporary one. */
function run(args) {
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    TZ: 'Europe/Chisinau',
    LANG: 'C.UTF-8',
    FORCE_COLOR: '1',
    COLUMNS: String(COLUMNS),
  };
  const command = `node '${join(root, 'bin/run.cjs')}' ${args} 2>&1`;
  const { stdout, status } = spawnSync('sh', ['-c', command], { env, cwd: home, encoding: 'utf8' });
  if (status !== 0) throw new Error(`pao ${args} ended with ${status}:\n${stdout}`);
  return stdout.replaceAll(home, '/home/you').trimEnd().split('\n');
}

/** Lines of text with SGR colours as lines of an SVG. */
function svg(lines) {
  const rows = lines.map((line, index) => row(line, 54 + index * LINE)).join('\n');
  const [width, height] = [Math.ceil(COLUMNS * CELL + 40), 54 + lines.length * LINE + 8];
  const dots = ['#f47067', '#e0b64d', '#8ddb8c'].map(
    (fill, index) => `<circle cx="${22 + index * 18}" cy="20" r="5.5" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="pao runs a morning briefing in a terminal">
<rect width="${width}" height="${height}" rx="9" fill="#1c2128"/>${dots.join('')}
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="${SIZE}" fill="#d1d7e0" xml:space="preserve">
${rows}
</g></svg>
`;
}

function row(line, y) {
  const style = { fill: null, bold: false, dim: false };
  let column = 0;
  let spans = '';
  for (const [, codes, text] of line.matchAll(/(?:\u001b\[([\d;]*)m)?([^\u001b]*)/g)) {
    for (const code of codes === undefined ? [] : codes.split(';').map(Number)) {
      if (code === 0) Object.assign(style, { fill: null, bold: false, dim: false });
      else if (code === 1) style.bold = true;
      else if (code === 2) style.dim = true;
      else if (code === 22) Object.assign(style, { bold: false, dim: false });
      else if (code === 39) style.fill = null;
      else style.fill = COLOURS[code] ?? style.fill;
    }
    if (text.trim() !== '') {
      const fill = style.dim ? '#768390' : style.fill;
      const x = (20 + column * CELL).toFixed(1);
      const width = ([...text].length * CELL).toFixed(1);
      const shown = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
      spans += `<tspan x="${x}" textLength="${width}" lengthAdjust="spacingAndGlyphs"${fill === null ? '' : ` fill="${fill}"`}${style.bold ? ' font-weight="600"' : ''}>${shown}</tspan>`;
    }
    column += [...text].length;
  }
  return `<text y="${y}">${spans}</text>`;
}

const prompt = (command) => `\u001b[32m$\u001b[39m \u001b[1mpao ${command}\u001b[22m`;
const SHOWN = [
  'start local --detach',
  'init briefing --demo',
  'tool import tools.yaml',
  'task apply briefing.yaml',
  'task run morning-briefing --wait',
];
try {
  const lines = [];
  for (const command of SHOWN) {
    const written = run(command === 'start local --detach' ? `${command} --port 8080` : command);
    lines.push(prompt(command), ...written, '');
  }
  const wide = lines.find((line) => [...line.replaceAll(/\u001b\[[\d;]*m/g, '')].length > COLUMNS);
  if (wide !== undefined) throw new Error(`A line is wider than the picture: ${wide}`);
  mkdirSync(join(root, 'docs'), { recursive: true });
  const picture = svg(lines.slice(0, -1));
  if (picture.length > 32_768)
    throw new Error(`The picture has ${picture.length} bytes: too much for a README`);
  writeFileSync(join(root, 'docs/terminal.svg'), picture);
} finally {
  for (const command of ['init briefing --stop-demo', 'stop']) {
    try {
      run(command);
    } catch (error) {
      console.error(String(error));
    }
  }
  rmSync(home, { recursive: true, force: true });
}
