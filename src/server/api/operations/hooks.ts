import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { conflict, invalidInput, notFound } from '../../../domain/errors.js';
import { topicSchema } from '../../../domain/event.js';
import { HOOK_SCHEMES, type Hook, type HookScheme } from '../../../domain/hook.js';
import { newId } from '../../../domain/ids.js';
import { taskNameSchema } from '../../../domain/task.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { audit } from '../task-service.js';
import { hookView } from '../views.js';
import { pageQuery } from './list-query.js';

/** Hooks one agent may have. */
const MAX_HOOKS = 100;

/** One that the other side gives: `whsec_…` of Standard Webhooks, or any text. */
const secretSchema = z
  .string()
  .min(16, 'must have 16 characters at least: it is the key of the signature')
  .max(500)
  .refine((text) => !text.startsWith('whsec_') || /^whsec_[A-Za-z0-9+/]{22,}={0,2}$/.test(text), {
    message: 'begins with whsec_, but the rest is not base64',
  })
  .optional();

export const hookOperations: Operation[] = [
  operation({
    name: 'hook_create',
    method: 'POST',
    path: '/v1/hooks',
    summary:
      'Create an inbound webhook: what is posted to it, rightly signed, becomes an event; its secret is shown once',
    scope: 'events:write',
    status: 201,
    answer: 'NewHook',
    holdsSecret: true,
    body: z.strictObject({
      name: taskNameSchema,
      topic: topicSchema,
      /** How the sender signs. */
      scheme: z.enum(HOOK_SCHEMES).default('standard'),
      /** With github: a body that was sent before, under a new id, is an event of its own. */
      allow_repeats: z.boolean().default(false),
      /** Where the sender makes the secret; one is made when left out. */
      secret: secretSchema,
    }),
    async handle({ body, services, caller }) {
      if (body.allow_repeats && body.scheme !== 'github')
        throw invalidInput('The hook is not valid.', [
          {
            pointer: '/allow_repeats',
            message: 'is for scheme github: with standard each delivery has its own signature',
          },
        ]);
      const { items } = await services.store.listHooks({ agentId: caller.agent.id, limit: MAX_HOOKS });
      if (items.length >= MAX_HOOKS)
        throw conflict(`This agent has ${MAX_HOOKS} hooks, which is the most it may have.`, [
          'pao hook list',
        ]);
      const now = services.clock.now();
      const hook: Hook = {
        id: newId('hok', now),
        agentId: caller.agent.id,
        name: body.name,
        topic: body.topic,
        scheme: body.scheme,
        secret: body.secret ?? newSecret(body.scheme),
        oldSecret: null,
        oldSecretUntil: null,
        allowRepeats: body.allow_repeats,
        createdAt: now,
        updatedAt: now,
        lastReceivedAt: null,
      };
      await services.store.createHook(hook);
      await audit(services, caller, 'hook.created', hook.id, { name: hook.name, topic: hook.topic });
      return {
        body: hookView(hook, services.config.public_url, hook.secret),
        location: `/v1/hooks/${hook.id}`,
      };
    },
  }),
  operation({
    name: 'hook_list',
    method: 'GET',
    path: '/v1/hooks',
    summary: 'List inbound webhooks, newest first',
    scope: 'events:read',
    status: 200,
    answer: 'HookPage',
    query: z.strictObject(pageQuery),
    async handle({ query, services, caller }) {
      const page = await services.store.listHooks({ agentId: ownOf(caller), ...query });
      return {
        body: {
          items: page.items.map((hook) => hookView(hook, services.config.public_url)),
          next_cursor: page.nextCursor,
        },
      };
    },
  }),
  operation({
    name: 'hook_get',
    method: 'GET',
    path: '/v1/hooks/:id',
    summary: 'Show an inbound webhook, by id or name',
    scope: 'events:read',
    status: 200,
    answer: 'Hook',
    async handle({ params, services, caller }) {
      return {
        body: hookView(await findHook(params.id as string, services, caller), services.config.public_url),
      };
    },
  }),
  operation({
    name: 'hook_rotate',
    method: 'POST',
    path: '/v1/hooks/:id/rotate',
    summary: 'Give an inbound webhook a new secret, shown once; the old one counts for a while',
    scope: 'events:write',
    status: 200,
    answer: 'NewHook',
    holdsSecret: true,
    body: z
      .strictObject({
        /** How long the old secret counts as well; 0 ends it at once. */
        grace_seconds: z
          .int()
          .min(0)
          .max(30 * 86_400)
          .default(86_400),
        secret: secretSchema,
      })
      .prefault({}),
    async handle({ params, body, services, caller }) {
      const hook = await findHook(params.id as string, services, caller);
      const now = services.clock.now();
      const hasGrace = body.grace_seconds > 0;
      const rotated: Hook = {
        ...hook,
        secret: body.secret ?? newSecret(hook.scheme),
        oldSecret: hasGrace ? hook.secret : null,
        oldSecretUntil: hasGrace ? now + body.grace_seconds * 1000 : null,
        updatedAt: now,
      };
      if (!(await services.store.updateHook(rotated))) throw gone(hook.name);
      await audit(services, caller, 'hook.rotated', hook.id, { grace_seconds: body.grace_seconds });
      return { body: hookView(rotated, services.config.public_url, rotated.secret) };
    },
  }),
  operation({
    name: 'hook_delete',
    method: 'DELETE',
    path: '/v1/hooks/:id',
    summary: 'Delete an inbound webhook: nothing is taken there any more',
    scope: 'events:write',
    status: 204,
    async handle({ params, services, caller }) {
      const hook = await findHook(params.id as string, services, caller);
      if (!(await services.store.deleteHook(hook.id))) throw gone(hook.name);
      await audit(services, caller, 'hook.deleted', hook.id, { name: hook.name });
      return {};
    },
  }),
];

const newSecret = (scheme: HookScheme): string =>
  scheme === 'standard' ? `whsec_${randomBytes(32).toString('base64')}` : randomBytes(32).toString('hex');

const gone = (name: string) => notFound('hook', name, ['pao hook list']);

/** Whose hooks a caller sees. */
const ownOf = (caller: Caller): string | undefined =>
  hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id;

/** By id, or by the name among the caller's own. @throws PaoError 404 also when it is another agent's. */
async function findHook(idOrName: string, { store }: ApiServices, caller: Caller): Promise<Hook> {
  const byId = await store.getHook(idOrName);
  if (byId !== null && (byId.agentId === caller.agent.id || hasScope(caller.scopes, 'admin'))) return byId;
  const { items } = await store.listHooks({ agentId: caller.agent.id, limit: MAX_HOOKS });
  const named = items.find(({ name }) => name === idOrName);
  if (named !== undefined) return named;
  throw gone(idOrName);
}
