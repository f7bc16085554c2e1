import type { Suite } from '../check.js';
import { type LiveSystem, setUpLiveSystem } from '../live-system.js';
import { healthChecks } from './health.js';

/** `pao test system`: whether a system works at all, in a few seconds. */
export const testSystem: Suite<LiveSystem> = {
  id: 'test-system',
  title: 'The system works',
  command: 'pao test system',
  checks: [...healthChecks],
  setUp: (options, progress) => setUpLiveSystem(options, progress),
};
