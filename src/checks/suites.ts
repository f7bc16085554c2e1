import type { Suite } from './check.js';

/** Every suite by its id. `test/sabotage` must prove each check of each of them. */
export const SUITES: Readonly<Record<string, () => Promise<Omit<Suite<never>, 'setUp'>>>> = {
  'check-security': async () => (await import('./check-security/suite.js')).checkSecurity,
  observability: async () => (await import('./observability/suite.js')).observability,
  doctor: async () => (await import('./doctor/suite.js')).doctor,
  'test-system': async () => (await import('./test-system/suite.js')).testSystem,
  'final-validation': async () => (await import('./final-validation/suite.js')).finalValidation('full', true),
  'validate-scheduler': async () => (await import('./validate-scheduler/suite.js')).validateScheduler,
};
