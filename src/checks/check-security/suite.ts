import { CheckSkipped, type Suite, type SuiteSetUp } from '../check.js';
import { accessChecks } from '../doctor/access.js';
import { DoctorContext } from '../doctor/context.js';
import { databaseChecks } from '../doctor/database.js';
import { fileChecks } from '../doctor/files.js';
import type { DoctorCheck } from '../doctor/finding.js';
import { processChecks } from '../doctor/processes.js';
import { type DoctorOptions, setUpDoctor } from '../doctor/suite.js';
import { secretStoreChecks } from '../doctor/secrets.js';
import { setUpLiveSystem } from '../live-system.js';
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

/** What is asked of the server itself; everything else looks at its machine. */
const OVER_HTTP = ['exposure.wall', 'exposure.dashboard', 'exposure.auth'];

/** With `--target` a check that looks at this machine would say nothing of that server. */
const ofItsMachine = (check: DoctorCheck): DoctorCheck => ({
  ...check,
  async run(context, tools) {
    if (context.target === null) return check.run(context, tools);
    throw new CheckSkipped(
      `It looks at the machine of the server, which ${context.target} does not tell of.`,
      'pao check security',
    );
  },
});

/** `pao check security`: who could get at this pao, and how. Changes nothing. */
export const checkSecurity: Suite<DoctorContext, DoctorOptions> = {
  id: 'check-security',
  title: 'Nobody gets at this pao who should not',
  command: 'pao check security',
  checks: [...exposureChecks, ...shared, ...secretChecks, ...rightsChecks, ...toolSecurityChecks].map(
    (check) => (OVER_HTTP.includes(check.id) ? check : ofItsMachine(check)),
  ),
  setUp,
};

async function setUp(
  options: DoctorOptions,
  progress: (text: string) => void,
): Promise<SuiteSetUp<DoctorContext>> {
  const here = await setUpDoctor(options);
  if (options.target === null) return here;
  const { target, secrets = [] } = await setUpLiveSystem(options, progress);
  return { ...here, context: new DoctorContext(here.context.place, options.target.url), target, secrets };
}
