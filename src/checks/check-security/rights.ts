import { broken, type DoctorCheck, doubtful, some } from '../doctor/finding.js';
import { serverEnvironment } from '../doctor/server-environment.js';

/** When each line of Node.js gets its last fix (https://nodejs.org/en/about/previous-releases). */
const END_OF_LIFE: Record<string, string> = {
  18: '2025-04-30',
  20: '2026-04-30',
  22: '2027-04-30',
  24: '2028-04-30',
};
const WIDE = ['admin', 'tool:*'];

export const rightsChecks: readonly DoctorCheck[] = [
  {
    id: 'access.scopes',
    title: 'Agents may do no more than they need',
    group: 'Access',
    async run(context) {
      const agents = await context.agents();
      const wide = agents.filter(
        ({ agent }) => agent.name !== 'admin' && agent.scopes.some((scope) => WIDE.includes(scope)),
      );
      if (wide.length === 0) return { agents: agents.length };
      const names = wide.map(({ agent }) => agent.name);
      throw doubtful({
        what: wide
          .slice(0, 5)
          .map(
            ({ agent }) =>
              `${agent.name} has ${agent.scopes.filter((scope) => WIDE.includes(scope)).join(', ')}.`,
          )
          .join('\n'),
        why: 'An agent that is talked into something can do all of it.',
        command: `pao agent show ${some(names, 1)}`,
        evidence: { agents: names },
      });
    },
  },
  {
    id: 'runtime.tls',
    title: 'Certificates are checked',
    group: 'Runtime',
    async run(context) {
      const value = serverEnvironment(context)['NODE_TLS_REJECT_UNAUTHORIZED'];
      if (value !== '0') return {};
      throw broken({
        what: 'NODE_TLS_REJECT_UNAUTHORIZED is 0: certificates are not checked.',
        why: 'Anybody on the way can answer in the name of a tool, and read the secrets that are sent to it.',
        command: 'unset NODE_TLS_REJECT_UNAUTHORIZED',
        evidence: { value },
      });
    },
  },
  {
    id: 'runtime.inspector',
    title: 'Nobody can attach a debugger',
    group: 'Runtime',
    async run(context) {
      const options = serverEnvironment(context)['NODE_OPTIONS'] ?? '';
      if (!/--inspect/.test(options)) return {};
      throw broken({
        what: 'NODE_OPTIONS has --inspect: every process of pao opens a debugger port.',
        why: 'Whoever connects to it runs code here, without a token.',
        command: 'unset NODE_OPTIONS',
        evidence: { options },
      });
    },
  },
  {
    id: 'runtime.end_of_life',
    title: 'Node.js still gets security fixes',
    group: 'Runtime',
    async run({ place }) {
      const major = place.nodeVersion.replace(/^v/, '').split('.')[0] ?? '';
      const end = END_OF_LIFE[major];
      const evidence = { node: place.nodeVersion, last_fixes: end ?? null };
      if (end === undefined || place.now() < Date.parse(end)) return evidence;
      throw doubtful({
        what: `Node.js ${major} got its last security fixes on ${end}.`,
        why: 'Holes that are found in it since then stay open.',
        command: 'nvm install 24',
        evidence,
      });
    },
  },
];
