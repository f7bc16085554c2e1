import { type Check, CheckFailure } from '../check.js';
import type { LiveSystem } from '../live-system.js';
import { probe } from '../probe.js';

const group = 'Health';
const HINT = 'pao status';

/** The endpoints that say how the system is. */
export const healthChecks: Check<LiveSystem>[] = [
  {
    id: 'health.live',
    title: 'The process answers',
    group,
    requires: ['server'],
    async run({ url }, { signal }) {
      const { status, body } = await probe(`${url}/health/live`, { signal });
      if (status === 200) return { status };
      throw new CheckFailure(`GET /health/live answered ${status}, expected 200.`, HINT, { status, body });
    },
  },
  {
    id: 'health.ready',
    title: 'The system is ready for requests',
    group,
    requires: ['server'],
    async run({ url }, { signal }) {
      const { status, body } = await probe(`${url}/health/ready`, { signal });
      if (status === 200) return { status };
      throw new CheckFailure(`GET /health/ready answered ${status}, expected 200.`, HINT, { status, body });
    },
  },
];
