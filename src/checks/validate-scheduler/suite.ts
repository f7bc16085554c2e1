import type { Suite } from '../check.js';
import { decisionChecks } from './decisions.js';
import { moduleChecks } from './modules.js';
import { patternChecks } from './patterns.js';
import { type SchedulerProof, schedulerProof } from './proof.js';
import { refusalCheck } from './refusals.js';
import { secondOpinionCheck } from './second-opinion.js';
import { speedCheck } from './speed.js';
import { zoneChecks } from './zones.js';

/** `pao validate scheduler`: whether the schedules of this installation are right; needs no server and no network. */
export const validateScheduler: Suite<SchedulerProof> = {
  id: 'validate-scheduler',
  title: 'Schedules are computed right on this machine',
  command: 'pao validate scheduler',
  checks: [
    ...moduleChecks,
    ...patternChecks,
    secondOpinionCheck,
    ...zoneChecks,
    ...decisionChecks,
    refusalCheck,
    speedCheck,
  ],
  setUp: async ({ packageRoot }) => ({
    context: schedulerProof(packageRoot),
    target: { url: null, store: 'sqlite', bus: 'memory', ephemeral: true },
    has: new Set(),
    dispose: async () => {},
  }),
};
