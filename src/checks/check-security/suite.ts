import type { Suite } from '../check.js';
import { accessChecks } from '../doctor/access.js';
import type { DoctorContext } from '../doctor/context.js';
import { databaseChecks } from '../doctor/database.js';
import { fileChecks } from '../doctor/files.js';
import type { DoctorCheck } from '../doctor/finding.js';
import { processChecks } from '../doctor/processes.js';
import { type DoctorOptions, setUpDoctor } from '../doctor/suite.js';
import { secretStoreChecks } from '../doctor/secrets.js';
import { exposureChecks } from './exposure.js';
import { rightsChecks } from './rights.js';
import { secretChecks } from './secrets.js';
import { toolSecurityChecks } from './tools.js';

/** What doctor looks at as well. Here each stands on its own. */
const SHARED = ['files.private', 'secrets.store', 'access.tokens', 'database.audit', 'processes.lock'];
const shared: readonly DoctorCheck[] = [
  ...fileChecks,
  ...secretStoreChecks,
  ...accessChecks,
  ...databaseChecks,
  ...processChecks,
]
  .filter(({ id }) => SHARED.includes(id))
  .map((check) => ({ ...check, needs: [] }));

/** `pao check security`: who could get at this pao, and how. Changes nothing. */
export const checkSecurity: Suite<DoctorContext, DoctorOptions> = {
  id: 'check-security',
  title: 'Nobody gets at this pao who should not',
  command: 'pao check security',
  checks: [...exposureChecks, ...shared, ...secretChecks, ...rightsChecks, ...toolSecurityChecks],
  setUp: setUpDoctor,
};
