import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';
import { paoModules } from './modules.mjs';

// Native addons, what resolves its own files at run time, and what must not be pulled in by a `try { require }`.
const EXTERNAL = [
  'better-sqlite3',
  'better-sqlite3-v13',
  'oxc-parser',
  'pg-native',
  'typescript',
  'ts-node',
  'tsx',
];
const BUILTIN = new Set([...builtinModules, ...builtinModules.map((name) => `node:${name}`)]);

/**
 * Bundles the CLI, the service processes, the demo servers and the exported libraries into a folder.
 * @returns the chunk of each entry by its name.
 */
export async function bundle(root, folder, { partial = false } = {}) {
  const source = (path) => join(root, 'src', path);
  const input = { main: source('cli/main.ts'), manifest: source('cli/manifest.ts') };
  input.service = source('server/service.ts');
  input['lease-keeper'] = source('server/worker/lease-keeper.ts');
  const demos = source('demo/servers');
  for (const file of existsSync(demos) ? readdirSync(demos) : []) {
    if (file.endsWith('.ts')) input[`demo/${file.slice(0, -3)}`] = join(demos, file);
  }
  const libraries = {};
  if (existsSync(source('domain/recurrence/index.ts')))
    libraries.recurrence = source('domain/recurrence/index.ts');
  if (existsSync(source('client/index.ts'))) libraries.client = source('client/index.ts');
  const [entries] = await Promise.all([
    bundlePrograms(input, folder, partial),
    bundleLibraries(libraries, folder),
  ]);
  return entries;
}

async function bundlePrograms(input, folder, partial) {
  const build = await rolldown({
    input,
    platform: 'node',
    transform: { jsx: { development: false } },
    external: (id) => BUILTIN.has(id) || EXTERNAL.some((name) => id === name || id.startsWith(`${name}/`)),
    plugins: [paoModules, lazyOclif, noWslCheck, inkInCjs, partial && unwrittenModules],
    checks: { eval: false, pluginTimings: false },
    onLog: quietAboutDependencies,
  });
  const { output } = await build.write({
    dir: folder,
    format: 'cjs',
    exports: 'named',
    // A folder per entry would make chunks refer to one another by ../, which the loader does not follow.
    entryFileNames: ({ name }) => `${name.replaceAll('/', '-')}-[hash].cjs`,
    chunkFileNames: '[name]-[hash].cjs',
    sourcemap: false,
    // A chunk from the code cache has no import() of its own.
    dynamicImportInCjs: false,
    minify: { mangle: false, compress: true, codegen: { removeWhitespace: true } },
    comments: { legal: false },
  });
  await build.close();
  const entries = {};
  for (const chunk of output) {
    if (chunk.type !== 'chunk' || !chunk.isEntry) continue;
    entries[chunk.name] = chunk.fileName;
    const path = join(folder, `${chunk.name}.cjs`);
    const up = '../'.repeat(chunk.name.split('/').length);
    const here = chunk.name.includes('/') ? `require('node:path').join(__dirname, '..')` : '__dirname';
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `module.exports = require('${up}bin/load.cjs')(${here}, '${chunk.fileName}');\n`);
  }
  return entries;
}

async function bundleLibraries(input, folder) {
  if (Object.keys(input).length === 0) return;
  const build = await rolldown({ input, platform: 'node', external: /^[^./]/, plugins: [paoModules] });
  await build.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
  });
  await build.close();
}

/**
 * oclif loads all of itself for every command (ejs, minimatch, semver, readline, child_process). Here each of its
 * requires happens when it is first used, as Babel's `lazy` option does it.
 */
const lazyOclif = {
  name: 'pao:lazy-oclif',
  transform: {
    filter: { id: /@oclif[\\/]core[\\/]lib[\\/].*\.js$/ },
    handler(code) {
      let count = 0;
      const lazy = code.replace(
        /^const (\w+) = ((?:__importDefault\()?require\("[^"]+"\)\)?);$/gm,
        (_, name, load) => {
          count++;
          return `const ${name} = lazily(() => ${load});`;
        },
      );
      if (count === 0) return null;
      return `${lazy}\nfunction lazily(load) { let it; return new Proxy({}, { get: (_, key) => (it ??= load())[key] }); }`;
    },
  },
};

/** oclif asks on every start whether this is WSL, and only for a name in its user agent. */
const noWslCheck = {
  name: 'pao:no-wsl-check',
  resolveId: (id) => (id === 'wsl-utils' ? '\0wsl-utils' : null),
  load: (id) =>
    id === '\0wsl-utils'
      ? 'export const isWsl = false; export const powerShellPath = () => "powershell.exe";'
      : null,
};

/**
 * Ink is written for `await` at the top of a module, which a CommonJS chunk cannot have: its layout engine (yoga, a
 * WebAssembly) is handed over when it is `ready`. React comes in its production form, whatever NODE_ENV says.
 */
const INK_CHANGES = [
  {
    file: /yoga-layout[\\/]dist[\\/]src[\\/]index\.js$/,
    from: 'const Yoga = wrapAssembly(await loadYoga());',
    to: 'const Yoga = {}; export const ready = loadYoga().then((it) => void Object.assign(Yoga, wrapAssembly(it)));',
  },
  {
    file: /ink[\\/]build[\\/]index\.js$/,
    from: "export { default as render } from './render.js';",
    to: "export { default as render } from './render.js'; export { ready } from 'yoga-layout';",
  },
  { file: /ink[\\/]build[\\/]reconciler\.js$/, from: "await import('./devtools.js');", to: '' },
  { file: /ink[\\/]build[\\/]reconciler\.js$/, from: '? await loadPackageJson()', to: '? {}' },
  {
    // Whether this is a terminal to draw on is decided before Ink is asked.
    file: /is-in-ci[\\/]index\.js$/,
    from: "const isInCi = check('CI') || check('CONTINUOUS_INTEGRATION');",
    to: 'const isInCi = false;',
  },
  {
    file: /node_modules[\\/](?:react|react-reconciler|scheduler)[\\/][\w-]+\.js$/,
    from: 'process.env.NODE_ENV',
    to: '"production"',
  },
];
const inkInCjs = {
  name: 'pao:ink-in-cjs',
  transform: {
    filter: { id: INK_CHANGES.map(({ file }) => file) },
    handler(code, id) {
      return INK_CHANGES.filter(({ file }) => file.test(id)).reduce((changed, { from, to }) => {
        if (!changed.includes(from)) throw new Error(`${id} no longer has: ${from}`);
        return changed.replace(from, to);
      }, code);
    },
  },
};

/** For a build in the middle of the work (`--partial`): a module of ours that is not there yet fails when it is imported. */
const unwrittenModules = {
  name: 'pao:unwritten-modules',
  async resolveId(id, importer, options) {
    if (!id.startsWith('.') || importer?.includes('node_modules')) return null;
    return (await this.resolve(id, importer, { ...options, skipSelf: true })) ?? `\0unwritten:${id}`;
  },
  load(id) {
    if (!id.startsWith('\0unwritten:')) return null;
    return `module.exports = new Proxy({}, { get() { throw new Error(${JSON.stringify(`${id.slice(11)} is not written yet`)}); } });`;
  },
};

function quietAboutDependencies(level, log, report) {
  if (level === 'warn' && /node_modules/.test(log.id ?? log.message)) return;
  report(level, log);
}
