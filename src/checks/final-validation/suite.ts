import type { Check, Suite } from '../check.js';
import { stopCheck } from '../test-system/work.js';
import { agentChecks } from './agents.js';
import { auditChecks } from './audit.js';
import { briefingChecks } from './briefing.js';
import { errorChecks } from './errors.js';
import { loadChecks } from './load.js';
import { onceChecks } from './once.js';
import { recoveryChecks } from './recovery.js';
import { resourceChecks } from './resources.js';
import { taskChecks } from './tasks.js';
import { templateChecks } from './templates.js';
import { timeChecks } from './time.js';
import { toolChecks } from './tools.js';
import { upgradeChecks } from './upgrade.js';
import { type FinalValidationOptions, type Profile, setUpWorld, type World } from './world.js';

/** What the quick profile leaves out: what takes its time because something has to die or to sleep first. */
const NOT_QUICK = (id: string) =>
  id.startsWith('time.') || (id.startsWith('recovery.') && id !== 'recovery.worker_killed');

/**
 * `pao final-validation`: the whole of day one, and the gate before a release. What has a system for itself comes last.
 * @param postUpgrade whether tasks are compared with those of before an upgrade.
 */
export function finalValidation(
  profile: Profile,
  postUpgrade: boolean,
): Suite<World, FinalValidationOptions> {
  const checks: Check<World>[] = [
    ...briefingChecks,
    ...agentChecks,
    ...taskChecks,
    ...templateChecks,
    ...toolChecks,
    ...errorChecks,
    ...onceChecks,
    ...auditChecks,
    ...(postUpgrade ? upgradeChecks : []),
    ...timeChecks,
    ...loadChecks,
    ...recoveryChecks,
    ...resourceChecks,
    stopCheck,
  ];
  return {
    id: 'final-validation',
    title: 'Everything that pao promises holds',
    command: 'pao final-validation',
    checks: profile === 'quick' ? checks.filter(({ id }) => !NOT_QUICK(id)) : checks,
    setUp: setUpWorld,
  };
}
