import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const OLDEST_NODE = [20, 19];

/** Makes a fresh clone ready to run: dependencies as the lock file says, then the build. Does nothing when all is there. */
export async function bootstrap() {
  requireNode();
  if (!isInstalled()) {
    await withLock(join(root, '.bootstrap', 'install.lock'), async () => {
      if (!isInstalled()) await install();
    });
  }
  const { buildOrExit } = await import('./build.mjs');
  await buildOrExit();
}

function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  process.stderr.write(`pao needs Node ${OLDEST_NODE.join('.')} or newer; this is ${process.version}.\n`);
  process.exit(3);
}

/** npm notes in node_modules/.package-lock.json what it put there: it must be what package-lock.json asks for. */
function isInstalled() {
  const notes = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(notes)) return false;
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const there = JSON.parse(readFileSync(notes, 'utf8')).packages;
  for (const [path, { version, optional, link }] of Object.entries(wanted)) {
    if (path === '' || link) continue;
    // npm leaves out optional packages that are made for other systems.
    if (there[path] ? there[path].version !== version : !optional) return false;
  }
  // The one optional package that depends on the Node version, which may have changed since.
  const needsNewDriver = Number(process.versions.node.split('.')[0]) >= 22;
  return !needsNewDriver || existsSync(join(root, 'node_modules', 'better-sqlite3-v13'));
}

/** Node's own headers, where they came with it: then nothing has to be downloaded to compile the SQLite driver. */
function headersOfThisNode() {
  const prefix = join(dirname(process.execPath), '..');
  const isSet = Object.keys(process.env).some((name) => name.toLowerCase() === 'npm_config_nodedir');
  return isSet || !existsSync(join(prefix, 'include', 'node', 'node.h'))
    ? {}
    : { npm_config_nodedir: prefix };
}

async function install() {
  process.stderr.write(
    'Installing dependencies (once; better-sqlite3 may have to be compiled, which takes minutes)…\n',
  );
  const npm = process.env.npm_execpath;
  const args = ['ci', '--include=dev', '--no-audit', '--no-fund'];
  const [program, parameters] = npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : ['npm', args];
  const child = spawn(program, parameters, {
    cwd: root,
    // npm's words are for a person; stdout may be somebody's JSON.
    stdio: ['ignore', 2, 2],
    env: { ...process.env, ...headersOfThisNode() },
    shell: program === 'npm' && process.platform === 'win32',
  });
  const code = await new Promise((done, fail) => child.once('error', fail).once('close', done));
  if (code !== 0) {
    process.stderr.write(`npm ci failed (exit code ${code}). Its own words are above.\n`);
    process.exit(3);
  }
}
