import type { Tool } from '../../domain/tool.js';
import { broken, type DoctorCheck, doubtful, some } from '../doctor/finding.js';
import { isLocal } from './exposure.js';

/** Where clouds give out credentials to whoever asks. */
const METADATA = /^(169\.254\.169\.254|\[?fd00:ec2::254\]?|metadata\.google\.internal)(:|$)/i;

export const toolSecurityChecks: readonly DoctorCheck[] = [
  {
    id: 'tools.plain_http',
    title: 'Tools on other machines are called over TLS',
    group: 'Tools',
    async run(context) {
      const tools = await context.tools();
      const open = tools.filter((tool) =>
        urlsOf(tool).some((url) => url.startsWith('http:') && !isLocal(new URL(url).hostname)),
      );
      if (open.length === 0) return { tools: tools.length };
      throw doubtful({
        what: `${some(
          open.map(({ address }) => address),
          5,
        )} ${open.length === 1 ? 'is' : 'are'} called over plain HTTP.`,
        why: 'What is sent, secrets as well, can be read and changed on the way.',
        command: `pao tool show ${open[0]?.address}`,
        evidence: { tools: open.map(({ address }) => address) },
      });
    },
  },
  {
    id: 'tools.grants',
    title: 'Tools are let into no more of the private network than this machine',
    group: 'Tools',
    async run(context) {
      const granted = (await context.tools()).flatMap(({ address, grants = [] }) =>
        grants.map((grant) => ({ address, grant })),
      );
      const worst = granted.filter(({ grant }) => METADATA.test(grant));
      const evidence = { granted: granted.slice(0, 50) };
      if (worst.length > 0) {
        throw broken({
          what: `${worst[0]?.address} may reach ${worst[0]?.grant}.`,
          why: "That is where a cloud gives out this machine's own credentials.",
          command: `pao tool delete ${worst[0]?.address}`,
          evidence,
        });
      }
      const wide = granted.filter(({ grant }) => !isLocal(grant.replace(/:\d+$/, '')));
      if (wide.length === 0) return evidence;
      throw doubtful({
        what: wide
          .slice(0, 5)
          .map(({ address, grant }) => `${address} may reach ${grant}.`)
          .join('\n'),
        why: 'What an agent writes into its input is sent into your network.',
        command: `pao tool show ${wide[0]?.address}`,
        evidence,
      });
    },
  },
  {
    id: 'tools.redirects',
    title: 'Tools do not follow redirects',
    group: 'Tools',
    async run(context) {
      const follow = (await context.tools()).filter(({ http }) => (http?.max_redirects ?? 0) > 0);
      if (follow.length === 0) return {};
      throw doubtful({
        what: `${some(
          follow.map(({ address }) => address),
          5,
        )} follow${follow.length === 1 ? 's' : ''} redirects.`,
        why: 'The other side then chooses where the next request goes.',
        command: `pao tool show ${follow[0]?.address}`,
        evidence: { tools: follow.map(({ address }) => address) },
      });
    },
  },
];

function urlsOf({ http, mcp, llm }: Tool): string[] {
  const urls = [http?.url, llm?.base_url, mcp?.server.transport === 'http' ? mcp.server.url : undefined];
  return urls.filter((url): url is string => url !== undefined && URL.canParse(url));
}
