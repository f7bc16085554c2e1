'use strict';
// Runs chunks of dist/ with the machine code V8 made of them last time: compiling is most of what a start costs.
// Without a cache folder, or with PAO_NO_CODE_CACHE=1, it is a plain loader. V8 compares only the length of the source
// with what it cached, so only files whose name holds a hash of their content come through here.
const {
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
  const folder = base && join(base, 'pao', 'code', `${process.version}-${process.arch}`);
  return folder && isOurs(folder) ? folder : null;
}

/** What is in the folder is run: nobody else may own it or write to it. One that is missing will be made so. */
function isOurs(folder) {
  try {
    const { uid, mode } = statSync(folder);
    return process.platform === 'win32' || (uid === process.getuid() && (mode & 0o022) === 0);
  } catch (error) {
    return error.code === 'ENOENT';
  }
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
    if (!isOurs(cacheFolder)) return;
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
