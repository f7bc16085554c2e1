import { fileURLToPath } from 'node:url';
import { DoctorContext, type DoctorPlace } from '../../src/checks/doctor/context.js';
import { doctor } from '../../src/checks/doctor/suite.js';
import { runCheck } from '../../src/checks/run-check.js';
import { offsetAt } from '../../src/checks/doctor/runtime.js';
import { T0 } from '../contract/fixtures.js';
import { aDatabase, type TestDatabase } from '../server/maintenance/a-database.js';

export const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Where nothing is wrong: a data directory of its own with an empty database. */
export interface TestPlace extends TestDatabase {
  /** A doctor that looks there; what is not said is as it should be. */
  look(changes?: Partial<DoctorPlace>): DoctorContext;
  /** Does what `--fix` would. @throws Error unless the check passes then. */
  mend(id: string, found: DoctorContext): Promise<void>;
}

export async function aPlace(): Promise<TestPlace> {
  const database = await aDatabase();
  const contexts: DoctorContext[] = [];
  const place: TestPlace = {
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
        reboot: { whyNot: null, folders: [], crontab: async () => '' },
        now: () => T0,
        ...changes,
      });
      contexts.push(context);
      return context;
    },
    async mend(id, found) {
      await found.close();
      const fixes = found.fixes.filter((fix) => fix.check === id);
      if (fixes.length === 0) throw new Error(`${id} has nothing that --fix could put right.`);
      for (const fix of fixes) await fix.run();
      const check = doctor.checks.find((one) => one.id === id);
      if (check === undefined) throw new Error(`There is no check ${id}.`);
      const { signal } = new AbortController();
      const { status, error } = await runCheck(check, place.look(found.place), {
        signal,
        command: 'pao doctor',
      });
      if (status !== 'passed') throw new Error(`${id} is not mended: ${status}, ${error}`);
    },
    remove() {
      for (const context of contexts) void context.close();
      database.remove();
    },
  };
  return place;
}
