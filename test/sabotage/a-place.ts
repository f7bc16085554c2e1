import { fileURLToPath } from 'node:url';
import { DoctorContext, type DoctorPlace } from '../../src/checks/doctor/context.js';
import { offsetAt } from '../../src/checks/doctor/runtime.js';
import { T0 } from '../contract/fixtures.js';
import { aDatabase, type TestDatabase } from '../server/maintenance/a-database.js';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Where nothing is wrong: a data directory of its own with an empty database. */
export interface TestPlace extends TestDatabase {
  /** A doctor that looks there; what is not said is as it should be. */
  look(changes?: Partial<DoctorPlace>): DoctorContext;
}

export async function aPlace(): Promise<TestPlace> {
  const database = await aDatabase();
  const contexts: DoctorContext[] = [];
  return {
    ...database,
    look(changes = {}) {
      const context = new DoctorContext({
        home: database.home,
        userHome: database.home,
        cwd: database.home,
        env: {},
        packageRoot,
        version: '1.2.3',
        nodeVersion: process.version,
        limitsFile: '/proc/self/limits',
        offsetAt,
        lowDisk: { warn: 0, fail: 0 },
        muchSpace: { log: 1_000_000, unused: 1_000_000 },
        now: () => T0,
        ...changes,
      });
      contexts.push(context);
      return context;
    },
    remove() {
      for (const context of contexts) void context.close();
      database.remove();
    },
  };
}
