import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stopCluster } from './postgres/cluster.js';
import { RUN_DIRECTORY } from './postgres/shared-cluster.js';

/** Before and after a run of the tests: what its processes share is started when first asked for, and ended here. */
export default function setup(): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'pao-tests-'));
  process.env[RUN_DIRECTORY] = folder;
  return () => {
    const file = join(folder, 'postgres.json');
    if (existsSync(file)) {
      const { directory } = JSON.parse(readFileSync(file, 'utf8')) as { directory?: string };
      if (directory !== undefined) {
        stopCluster(directory);
        rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
      }
    }
    rmSync(folder, { recursive: true, force: true });
  };
}
