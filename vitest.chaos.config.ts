import { defineConfig, mergeConfig } from 'vitest/config';
import config from './vitest.config.js';

// `npm run chaos`: faults against whole systems, a step of its own in CI. PAO_CHAOS=long goes on for much longer, and
// PAO_CHAOS_SEED repeats a run.
const isLong = process.env['PAO_CHAOS'] === 'long';

const { include: _, ...test } = config.test ?? {};
export default mergeConfig(
  { ...config, test },
  defineConfig({
    test: {
      include: ['test/chaos/*.chaos.ts'],
      testTimeout: isLong ? 3_600_000 : 300_000,
    },
  }),
);
