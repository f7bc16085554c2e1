'use strict';
// Runs chunks of dist/ with the machine code V8 made of them last time: compiling is most of what a start costs.
// Without a cache folder, or with PAO_NO_CODE_CACHE=1, it is a plain loader. V8 compares only the length of the source
// with what it cached, so only files whose name holds a hash of their content come through here.
const {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} = require('node:fs');
const { createRequire } = require('node:module');
const { isAbsolute, join } = require('node:path');
const { constants, Script } = require('node:vm');

const UNUSED_AFTER_MS = 30 * 24 * 60 * 60 * 1000;
const modules = new Map();
const compiled = [];
const cacheFolder = findCacheFolder();

function findCacheFolder() {
  if (process.env.PAO_NO_CODE_CACHE === '1') return null;
  const { XDG_CACHE_HOME: xdg, HOME: home, LOCALAPPDATA: local } = process.env;
  const base = [xdg, home && join(home, '.cache'), local].find((path) => path && isAbsolute(path));
  return base ? join(base, 'pao', 'code', `${process.version}-${process.arch}`) : null;
}

/** Runs a chunk of a folder once, and gives its exports. */
function load(folder, name) {
  const filename = join(folder, name);
  const known = modules.get(filename);
  if (known) return known.exports;
  const source = readFileSync(filename, 'utf8');
  const blob = cacheFolder && join(cacheFolder, `${name}.bin`);
  const script = new Script(`(function (exports, require, module, __filename, __dirname) {${source}\n})`, {
    filename,
    cachedData: readIfThere(blob),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  if (blob && (script.cachedDataRejected ?? true)) compiled.push({ script, blob });
  const module = { exports: {} };
  modules.set(filename, module);
  const outside = createRequire(filename);
  const require = (id) => (id.startsWith('./') ? load(folder, id.slice(2)) : outside(id));
  require.resolve = outside.resolve;
  script.runInThisContext().call(module.exports, module.exports, require, module, filename, folder);
  return module.exports;
}

function readIfThere(path) {
  try {
    return path ? readFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

// At the end, as the functions that were called lazily are then part of what is kept.
process.once('exit', () => {
  if (compiled.length === 0) return;
  try {
    mkdirSync(cacheFolder, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(cacheFolder);
    // What is in there is run: it must be ours alone.
    if (process.getuid && uid !== process.getuid()) return;
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) chmodSync(cacheFolder, 0o700);
    for (const { script, blob } of compiled) {
      const unfinished = `${blob}.${process.pid}`;
      writeFileSync(unfinished, script.createCachedData(), { mode: 0o600 });
      renameSync(unfinished, blob);
    }
    for (const name of readdirSync(cacheFolder)) {
      const path = join(cacheFolder, name);
      if (Date.now() - statSync(path).mtimeMs > UNUSED_AFTER_MS) rmSync(path);
    }
  } catch {
    // A cache that cannot be written is only a slower start.
  }
});

module.exports = load;
