import type { Suite } from '../check.js';
import { alertChecks } from './alert-checks.js';
import { costChecks } from './cost-checks.js';
import { type ObservabilityOptions, type ObservedSystem, setUpObserved } from './context.js';
import { flowChecks } from './flow-checks.js';
import { healthChecks } from './health-checks.js';
import { liveChecks } from './live-checks.js';
import { prometheusChecks } from './prometheus-checks.js';
import { metricChecks } from './metric-checks.js';
import { secretChecks } from './secret-checks.js';
import { traceChecks } from './trace-checks.js';

/** `pao check observability`: whether what the system says about itself is true. */
export const observability: Suite<ObservedSystem, ObservabilityOptions> = {
  id: 'observability',
  title: 'What the system says about itself is true',
  command: 'pao check observability',
  checks: [
    ...metricChecks,
    ...flowChecks,
    ...traceChecks,
    ...secretChecks,
    ...liveChecks,
    ...healthChecks,
    ...costChecks,
    ...alertChecks,
    ...prometheusChecks,
  ],
  setUp: setUpObserved,
};
