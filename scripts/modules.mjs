// Modules that exist only in the build: SQL files as text, the table of commands, and what browsers get. A plugin of rolldown and of vite.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const COMMANDS = '\0pao:commands';
const DASHBOARD = '\0pao:dashboard';

export const paoModules = {
  name: 'pao:modules',
  enforce: 'pre',
  resolveId: (id) => ({ 'pao:commands': COMMANDS, 'pao:dashboard': DASHBOARD })[id] ?? null,
  async load(id) {
    const path = id.split('?')[0];
    if (id === COMMANDS) return { code: await commandTable(), moduleType: 'js' };
    if (id === DASHBOARD) return { code: await dashboardFiles(), moduleType: 'js' };
    if (!path.endsWith('.sql')) return null;
    return { code: `export default ${JSON.stringify(await readFile(path, 'utf8'))}`, moduleType: 'js' };
  },
};

/** `src/commands/task/list.ts` is `task:list`, `src/commands/start/index.ts` is `start`. */
async function commandTable() {
  const folder = join(root, 'src', 'commands');
  const entries = await readdir(folder, { recursive: true });
  const files = entries
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
    .sort();
  const lines = files.map((path) => {
    const id = path.replace(/(\/?index)?\.ts$/, '').replaceAll('/', ':');
    return `  ${JSON.stringify(id)}: () => import(${JSON.stringify(join(folder, path))}),`;
  });
  return `export const commands = {\n${lines.join('\n')}\n};\n`;
}

/** The dashboard as the API serves it: one script, one style sheet, one page, from memory. */
async function dashboardFiles() {
  const folder = join(root, 'src', 'dashboard');
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input: join(folder, 'main.ts'),
    platform: 'browser',
    // What domain/ checks with is the server's business: its schemas stay out.
    treeshake: { moduleSideEffects: false },
  });
  const { output } = await build.generate({ format: 'esm', minify: true, codeSplitting: false });
  await build.close();
  const files = { 'dashboard.js': output[0].code };
  for (const name of ['index.html', 'dashboard.css', 'dashboard.svg'])
    files[name] = await readFile(join(folder, name), 'utf8');
  return `export const files = ${JSON.stringify(files)};\n`;
}
