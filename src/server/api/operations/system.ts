import { z } from 'zod';
import { agenda } from '../agenda.js';
import { type Operation, operation } from '../operation.js';
import { pageQuery } from './list-query.js';
import { instant } from '../views.js';

export const systemOperations: Operation[] = [
  operation({
    name: 'agenda',
    method: 'GET',
    path: '/v1/agenda',
    summary: 'What is due in the next hours',
    scope: 'tasks:read',
    status: 200,
    query: z.strictObject({
      hours: z.coerce
        .number()
        .min(0.1)
        .max(24 * 31)
        .default(24),
      limit: z.coerce.number().int().min(1).max(1000).default(100),
    }),
    async handle({ query, services, caller }) {
      return { body: await agenda(query.hours, query.limit, services, caller) };
    },
  }),
  operation({
    name: 'health',
    method: 'GET',
    path: '/v1/health',
    summary: 'How each part of the system is',
    scope: null,
    status: 200,
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
    query: z.strictObject(pageQuery),
    async handle({ query, services }) {
      const page = await services.store.listAudit(query);
      return {
        body: {
          items: page.items.map(({ at, ...entry }) => ({ ...entry, at: instant(at) })),
          next_cursor: page.nextCursor,
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
