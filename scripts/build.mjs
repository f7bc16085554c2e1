#!/usr/bin/env node
// Builds dist/ when the sources are newer than it. `--force` builds in any case, `--clean` leaves no chunk of an older build,
// `--partial` goes on when a module is imported that is not written yet.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withLock } from './lock.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, 'build.json');
// A server that runs while pao is rebuilt loads chunks of its own build for as long as it lives.
const OLD_CHUNKS_LIVE_MS = 24 * 60 * 60 * 1000;

/** The sources cannot be built; its message says where. */
class BuildError extends Error {
  constructor(cause) {
    super(`pao cannot be built. ${cause.message}`, { cause });
  }
}

/** As {@link buildIfStale}, for a program: says in words what is wrong, and ends the process. */
export async function buildOrExit(options) {
  try {
    await buildIfStale(options);
  } catch (error) {
    process.stderr.write(`${error instanceof BuildError ? error.message : error.stack}\n`);
    process.exit(1);
  }
}

/** Builds unless dist/ was made from just these sources. */
export async function buildIfStale({ force = false, clean = false, partial = false } = {}) {
  if (!force && isFresh(sourceHash())) return false;
  return withLock(join(root, '.bootstrap', 'build.lock'), async () => {
    // The one before us may have built the same.
    const hash = sourceHash();
    if (!force && isFresh(hash)) return false;
    await build(hash, { clean, partial });
    return true;
  });
}

function isFresh(hash) {
  return existsSync(stamp) && JSON.parse(readFileSync(stamp, 'utf8')).source === hash;
}

function sourceHash() {
  const hash = createHash('sha256');
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    ...filesUnder('src'),
    ...filesUnder('scripts'),
  ];
  for (const file of files)
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

function filesUnder(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length))
    .sort();
}

async function build(hash, { clean, partial }) {
  const started = performance.now();
  const { bundle } = await import('./bundle.mjs');
  mkdirSync(join(root, '.bootstrap'), { recursive: true });
  const fresh = mkdtempSync(join(root, '.bootstrap', 'dist-'));
  process.stderr.write('Building pao…\n');
  try {
    const [bundled, types] = await Promise.allSettled([bundle(root, fresh, { partial }), emitTypes(fresh)]);
    for (const result of [bundled, types])
      if (result.status === 'rejected') throw new BuildError(result.reason);
    const manifest = await createManifest(fresh, bundled.value.manifest);
    writeFileSync(join(fresh, 'oclif.manifest.json'), manifest);
    writeFileSync(join(fresh, 'build.json'), `${JSON.stringify({ source: hash })}\n`);
    publish(fresh, clean);
    writeManifest(manifest);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  process.stderr.write(`Built pao in ${((performance.now() - started) / 1000).toFixed(1)} s.\n`);
}

/** The declarations of what `pao/recurrence` and `pao/client` export. */
async function emitTypes(fresh) {
  const exported = { recurrence: 'domain/recurrence/index', client: 'client/index' };
  const there = Object.entries(exported).filter(([, path]) => existsSync(join(root, 'src', `${path}.ts`)));
  if (there.length === 0) return;
  const types = join(fresh, 'types');
  const config = join(fresh, 'tsconfig.json');
  writeFileSync(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.json'),
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        stripInternal: true,
        // Whether the types are right is `npm run typecheck`'s to say; a build must not wait for it.
        noCheck: true,
        outDir: types,
        rootDir: join(root, 'src'),
        typeRoots: [join(root, 'node_modules', '@types')],
      },
      include: [],
      files: [...there.map(([, path]) => join(root, 'src', `${path}.ts`)), join(root, 'src', 'virtual.d.ts')],
    }),
  );
  await runTool('typescript', 'tsc', ['-p', config]);
  rmSync(config);
  for (const [name, path] of there) {
    writeFileSync(join(fresh, `${name}.d.ts`), `export * from './types/${path}.js';\n`);
  }
}

async function runTool(packageName, bin, args) {
  const { bin: bins } = JSON.parse(
    readFileSync(join(root, 'node_modules', packageName, 'package.json'), 'utf8'),
  );
  const script = join(root, 'node_modules', packageName, bins[bin]);
  const child = spawn(process.execPath, [script, ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${bin} failed with exit code ${code}.`);
}

/** The manifest says what every command takes, so that no command is loaded for another one's sake. */
async function createManifest(fresh, chunk) {
  process.env.PAO_NO_CODE_CACHE = '1';
  const load = createRequire(import.meta.url)('../bin/load.cjs');
  return `${JSON.stringify(await load(fresh, chunk).createManifest(root), null, 2)}\n`;
}

/** Puts a finished build in place file by file: chunks first, then the entries that name them, then the stamp. */
function publish(fresh, clean) {
  mkdirSync(dist, { recursive: true });
  const rank = (file) =>
    file === 'build.json' ? 2 : /-[\w-]{8}\.cjs$/.test(file) || file.startsWith('types') ? 0 : 1;
  const files = readdirSync(fresh, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(fresh.length + 1))
    .sort((a, b) => rank(a) - rank(b));
  for (const file of files) {
    mkdirSync(dirname(join(dist, file)), { recursive: true });
    renameSync(join(fresh, file), join(dist, file));
  }
  const current = new Set(files);
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    if (current.has(path.slice(dist.length + 1))) continue;
    if (clean || Date.now() - statSync(path).mtimeMs > OLD_CHUNKS_LIVE_MS) rmSync(path, { force: true });
  }
}

/** The manifest at the root is the reviewed contract of the command line (`.ci/run` compares it); written when it changed. */
function writeManifest(manifest) {
  const path = join(root, 'oclif.manifest.json');
  if (existsSync(path) && readFileSync(path, 'utf8') === manifest) return;
  const unfinished = `${path}.${process.pid}`;
  writeFileSync(unfinished, manifest);
  renameSync(unfinished, path);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const flags = process.argv.slice(2);
  await buildOrExit({
    force: flags.includes('--force'),
    clean: flags.includes('--clean'),
    partial: flags.includes('--partial'),
  });
}
