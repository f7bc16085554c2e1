import { z } from 'zod';
import type { AuditEntry } from '../../../domain/audit-chain.js';
import type { Store } from '../../store/store.js';
import { agenda } from '../agenda.js';
import { type Operation, operation } from '../operation.js';
import { pageQuery, timeText } from './list-query.js';
import { instant } from '../views.js';

export const systemOperations: Operation[] = [
  operation({
    name: 'agenda',
    method: 'GET',
    path: '/v1/agenda',
    summary: 'What is due in the next hours',
    scope: 'tasks:read',
    status: 200,
    answer: 'Agenda',
    query: z.strictObject({
      hours: z.coerce
        .number()
        .min(0.1)
        .max(24 * 31)
        .default(24),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
      /** Tasks that are due more often than this are named once, in `often`. */
      often: z.coerce.number().int().min(1).max(1000).optional(),
    }),
    async handle({ query, services, caller }) {
      return { body: await agenda(query, services, caller) };
    },
  }),
  operation({
    name: 'health',
    method: 'GET',
    path: '/v1/health',
    summary: 'How each part of the system is',
    scope: null,
    status: 200,
    answer: 'Health',
    async handle({ services }) {
      return { body: await services.health.report() };
    },
  }),
  operation({
    name: 'audit_list',
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who did what, newest first',
    scope: 'audit:read',
    status: 200,
    answer: 'AuditPage',
    query: z.strictObject({
      ...pageQuery,
      actor: z.string().max(200).optional(),
      action: z.string().max(200).optional(),
      object: z.string().max(200).optional(),
      since: timeText.optional(),
    }),
    async handle({ query: { since, actor, ...query }, services: { store } }) {
      const { items, nextCursor } = await store.listAudit({
        ...query,
        actor: actor === undefined ? undefined : await actorOf(actor, store),
        since: since === undefined ? undefined : Date.parse(since),
      });
      const names = await actorNames(items, store);
      return {
        body: {
          items: items.map(({ at, ...entry }) => ({
            ...entry,
            at: instant(at),
            actor_name: names.get(entry.actor) ?? null,
          })),
          next_cursor: nextCursor,
        },
      };
    },
  }),
  operation({
    name: 'worker_list',
    method: 'GET',
    path: '/v1/workers',
    summary: 'The processes of the system and when they last gave a sign',
    scope: 'metrics:read',
    status: 200,
    answer: 'ServicePage',
    async handle({ services }) {
      const workers = await services.store.listWorkers();
      return {
        body: {
          items: workers.map((one) => ({
            id: one.id,
            kind: one.kind,
            slot: one.slot,
            pid: one.pid,
            host: one.host,
            version: one.version,
            tags: one.tags,
            started_at: instant(one.startedAt),
            last_seen_at: instant(one.lastSeenAt),
            slots_total: one.slotsTotal,
            slots_busy: one.slotsBusy,
          })),
          next_cursor: null,
        },
      };
    },
  }),
];

/** The actor that a name or an id stands for; `system` and the like stand for themselves. */
async function actorOf(text: string, store: Store): Promise<string> {
  if (text.startsWith('agt_')) return `agent:${text}`;
  const agent = await store.findAgentByName(text);
  return agent === null ? text : `agent:${agent.id}`;
}

/** Names of the agents among the actors. */
async function actorNames(items: readonly AuditEntry[], store: Store): Promise<Map<string, string>> {
  const agents = [...new Set(items.map(({ actor }) => actor))].filter((actor) => actor.startsWith('agent:'));
  const found = await Promise.all(agents.map((actor) => store.getAgent(actor.slice('agent:'.length))));
  return new Map(found.flatMap((agent, at) => (agent === null ? [] : [[agents[at] as string, agent.name]])));
}
