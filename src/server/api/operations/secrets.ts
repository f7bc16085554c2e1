import { z } from 'zod';
import { type Agent, hasScope } from '../../../domain/agent.js';
import { EXIT, PaoError } from '../../../domain/errors.js';
import { isSecretName } from '../../../domain/secret-name.js';
import { ToolError } from '../../../domain/tool-error.js';
import { lastSecretUses } from '../../tools/secret-use.js';
import type { SecretInfo } from '../../tools/secrets.js';
import { type ApiServices, type Operation, operation } from '../operation.js';
import { audit } from '../task-service.js';
import { instant } from '../views.js';

export const secretOperations: Operation[] = [
  operation({
    name: 'secret_list',
    method: 'GET',
    path: '/v1/secrets',
    summary:
      'Names of the secrets the caller may use, where they come from and when they were used; never a value',
    scope: null,
    status: 200,
    answer: 'SecretPage',
    async handle({ services, caller }) {
      const all = await listSecrets(services);
      const mine = all.filter(({ name }) => hasScope(caller.scopes, `secrets:use:${name}`));
      const uses = await lastSecretUses(services.store);
      // Who else may use it is for those who may see the other agents.
      const agents = hasScope(caller.scopes, 'agents:read') ? await allAgents(services) : null;
      return {
        body: {
          items: mine.map((one) => {
            const use = uses.get(one.name);
            return {
              name: one.name,
              source: one.source,
              tools: one.tools,
              agents: one.agents,
              ...(agents === null
                ? {}
                : {
                    granted_to: agents
                      .filter(({ scopes }) => hasScope(scopes, `secrets:use:${one.name}`))
                      .map(({ name }) => name),
                  }),
              updated_at: one.updatedAt,
              last_used_at: use === undefined ? null : instant(use.at),
              last_used_by: use === undefined ? null : { tool: use.tool, agent: use.agent },
            };
          }),
          next_cursor: null,
        },
      };
    },
  }),
  operation({
    name: 'secret_change_record',
    method: 'POST',
    path: '/v1/secrets/changes',
    summary: 'Record in the audit log what a person did to stored secrets; never a value',
    scope: 'admin',
    status: 204,
    body: z.strictObject({
      change: z.enum(['set', 'limited', 'deleted', 'rekeyed']),
      name: z.string().refine(isSecretName, 'can not be the name of a secret').optional(),
      tools: z.array(z.string().max(200)).max(200).optional(),
      agents: z.array(z.string().max(200)).max(200).optional(),
    }),
    async handle({ body: { change, name, ...limits }, services, caller }) {
      const details = { ...(name === undefined ? {} : { name }), ...limits };
      await audit(services, caller, `secret.${change}`, name ?? null, details);
      return { status: 204 };
    },
  }),
];

async function listSecrets({ secrets }: ApiServices): Promise<SecretInfo[]> {
  try {
    return (await secrets?.list()) ?? [];
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    throw new PaoError('PAO_SECRETS_UNREADABLE', error.message, {
      exitCode: EXIT.unavailable,
      status: 503,
      hints: ['pao doctor --only secrets.store'],
    });
  }
}

async function allAgents({ store }: ApiServices): Promise<Agent[]> {
  const found: Agent[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.listAgents({ limit: 500, cursor });
    found.push(...page.items.filter(({ disabledAt }) => disabledAt === null));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return found;
}
