import { defineConfig } from 'vitest/config';
import { paoModules } from './scripts/modules.mjs';

export default defineConfig({
  plugins: [paoModules],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: 'test/global-setup.ts',
    // Without this vitest swallows what a command writes to stdout in the same process.
    disableConsoleIntercept: true,
    testTimeout: 60_000,
    // On a clean machine the first ones install what the tests need, one after the other.
    hookTimeout: 300_000,
    teardownTimeout: 20_000,
    pool: 'forks',
    maxWorkers: 2,
    // Colours and a person's own configuration must not reach the tests.
    env: { NO_COLOR: '1', FORCE_COLOR: '0' },
  },
});
