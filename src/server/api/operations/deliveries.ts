import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { DELIVERY_STATUSES, type Delivery, type DeliveryStatus } from '../../../domain/delivery.js';
import { conflict, notFound } from '../../../domain/errors.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { audit } from '../task-service.js';
import { deliveryView } from '../views.js';
import { listOf, pageQuery } from './list-query.js';

/** Whether something arrived, or is to be sent twice, is for people to say. */
const SCOPE = 'approvals:decide';

export const deliveryOperations: Operation[] = [
  operation({
    name: 'delivery_list',
    method: 'GET',
    path: '/v1/deliveries',
    summary: 'List messages and what became of them, newest first',
    scope: 'runs:read',
    status: 200,
    answer: 'DeliveryPage',
    query: z.strictObject({
      ...pageQuery,
      status: z.string().optional(),
      run_id: z.string().optional(),
      channel: z.string().optional(),
    }),
    async handle({ query, services, caller }) {
      const page = await services.store.listDeliveries({
        agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
        statuses: listOf<DeliveryStatus>(query.status, DELIVERY_STATUSES, 'status'),
        runIds: query.run_id === undefined ? undefined : [query.run_id],
        channel: query.channel,
        limit: query.limit,
        cursor: query.cursor,
      });
      return { body: { items: page.items.map(deliveryView), next_cursor: page.nextCursor } };
    },
  }),
  operation({
    name: 'delivery_get',
    method: 'GET',
    path: '/v1/deliveries/:id',
    summary: 'Show a message, its attempts and its answer',
    scope: 'runs:read',
    status: 200,
    answer: 'Delivery',
    async handle({ params, services, caller }) {
      return { body: deliveryView(await findDelivery(params.id as string, services, caller)) };
    },
  }),
  operation({
    name: 'delivery_resend',
    method: 'POST',
    path: '/v1/deliveries/:id/resend',
    summary: 'Send a message now, or once more; it passes no quiet time by that',
    scope: SCOPE,
    status: 202,
    answer: 'Delivery',
    async handle({ params, services, caller }) {
      const { store, bus, clock } = services;
      const { id, status } = await findDelivery(params.id as string, services, caller);
      const result = await store.resolveDelivery({
        id,
        status: 'pending',
        reason: 'resent',
        now: clock.now(),
      });
      if (result === null) throw notFound('delivery', id);
      if (!result.changed) throw conflict('It is being sent at this moment.', [`pao delivery show ${id}`]);
      bus.publish('delivery', { count: 1 });
      await audit(services, caller, 'delivery.resent', id, { was: status });
      return { body: deliveryView(result.delivery) };
    },
  }),
  operation({
    name: 'delivery_resolve',
    method: 'POST',
    path: '/v1/deliveries/:id/resolve',
    summary: 'Say how a message of unknown outcome ended, or that a waiting one is not to be sent',
    scope: SCOPE,
    status: 200,
    answer: 'Delivery',
    body: z.strictObject({
      /** `suppressed` for one that waits. */
      status: z.enum(['delivered', 'failed', 'suppressed']),
      comment: z.string().max(500).optional(),
    }),
    async handle({ params, body, services, caller }) {
      const { id, status } = await findDelivery(params.id as string, services, caller);
      const reason = body.comment ?? `resolved by ${caller.actor}`;
      const result = await services.store.resolveDelivery({
        id,
        status: body.status,
        reason,
        now: services.clock.now(),
      });
      if (result === null) throw notFound('delivery', id);
      if (!result.changed && result.delivery.status !== body.status)
        throw conflict(
          `It is ${result.delivery.status}: only one of unknown outcome, or one that waits, can be resolved.`,
          [`pao delivery resend ${id}`],
        );
      await audit(services, caller, 'delivery.resolved', id, { was: status, now: body.status, reason });
      return { body: deliveryView(result.delivery) };
    },
  }),
];

/** A message that the caller may see. @throws PaoError 404 also when it is another agent's. */
async function findDelivery(id: string, { store }: ApiServices, caller: Caller): Promise<Delivery> {
  const delivery = await store.getDelivery(id);
  if (delivery === null || (delivery.agentId !== caller.agent.id && !hasScope(caller.scopes, 'admin')))
    throw notFound('delivery', id, ['pao delivery list']);
  return delivery;
}
