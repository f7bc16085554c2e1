import type { Suite } from '../check.js';
import { type LiveSystem, setUpLiveSystem } from '../live-system.js';
import { accessChecks } from './access.js';
import { healthChecks } from './health.js';
import { objectChecks } from './objects.js';
import { stopCheck, workChecks } from './work.js';

/** `pao test system`: whether a system works at all, in a few seconds. */
export const testSystem: Suite<LiveSystem> = {
  id: 'test-system',
  title: 'The system works',
  command: 'pao test system',
  checks: [...healthChecks, ...accessChecks, ...objectChecks, ...workChecks, stopCheck],
  setUp: (options, progress) => setUpLiveSystem(options, progress),
};
