// Modules that exist only in the build: SQL files as text, and the table of commands. A plugin of rolldown and of vite.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const COMMANDS = '\0pao:commands';

export const paoModules = {
  name: 'pao:modules',
  enforce: 'pre',
  resolveId: (id) => (id === 'pao:commands' ? COMMANDS : null),
  async load(id) {
    const path = id.split('?')[0];
    if (id === COMMANDS) return { code: await commandTable(), moduleType: 'js' };
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
