import { readFile } from 'node:fs/promises';
import { defineConfig, type Plugin } from 'vitest/config';

/** SQL files are text modules, as in the bundle (rolldown.config.ts). */
const sqlAsText: Plugin = {
  name: 'pao:sql-as-text',
  enforce: 'pre',
  async load(id) {
    const path = id.split('?')[0] ?? id;
    return path.endsWith('.sql') ? `export default ${JSON.stringify(await readFile(path, 'utf8'))}` : null;
  },
};

export default defineConfig({
  plugins: [sqlAsText],
  test: {
    include: ['test/**/*.test.ts'],
    // Without this vitest swallows what a command writes to stdout in the same process.
    disableConsoleIntercept: true,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    pool: 'forks',
    maxWorkers: 2,
    // Colours and a person's own configuration must not reach the tests.
    env: { NO_COLOR: '1', FORCE_COLOR: '0' },
  },
});
