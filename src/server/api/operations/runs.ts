import { z } from 'zod';
import { hasScope } from '../../../domain/agent.js';
import { notFound } from '../../../domain/errors.js';
import type { PublishedEvent } from '../../../domain/event.js';
import type { Delivery } from '../../../domain/delivery.js';
import { isFinal, type Run, RUN_STATUSES, type RunStatus } from '../../../domain/run.js';
import { type ApiServices, type Caller, type Operation, operation } from '../operation.js';
import { causesOfRun, maySee, MOST_LINKS } from '../causes.js';
import { audit, findTask } from '../task-service.js';
import { runBudgetView } from '../budget-view.js';
import { instant, runView } from '../views.js';

import { listOf, pageQuery, timeText, waitQuery } from './list-query.js';

/** Messages of a page of runs, at most. */
const MOST_MESSAGES = 5000;

export const runOperations: Operation[] = [
  operation({
    name: 'run_list',
    method: 'GET',
    path: '/v1/runs',
    summary: 'List runs, newest first',
    scope: 'runs:read',
    status: 200,
    answer: 'RunPage',
    query: z.strictObject({
      ...pageQuery,
      task_id: z.string().optional(),
      status: z.string().optional(),
      since: timeText.optional(),
      until: timeText.optional(),
    }),
    async handle({ query, services, caller }) {
      const task = query.task_id === undefined ? null : await findTask(query.task_id, services, caller);
      const page = await services.store.listRuns({
        agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
        taskId: task?.id,
        statuses: listOf<RunStatus>(query.status, RUN_STATUSES, 'status'),
        since: query.since === undefined ? undefined : Date.parse(query.since),
        until: query.until === undefined ? undefined : Date.parse(query.until),
        limit: query.limit,
        cursor: query.cursor,
      });
      const messages = await messagesOf(page.items, services);
      const items = page.items.map((run) => runView(run, undefined, messages.get(run.id) ?? []));
      return { body: { items, next_cursor: page.nextCursor } };
    },
  }),
  operation({
    name: 'run_get',
    method: 'GET',
    path: '/v1/runs/:id',
    summary: 'Show a run with its steps; with ?wait=20s wait until it has ended',
    scope: 'runs:read',
    status: 200,
    answer: 'WholeRun',
    query: z.strictObject({ wait: waitQuery }),
    async handle({ params, query, services, caller, signal }) {
      const id = params.id as string;
      await findRun(id, services, caller);
      if (query.wait !== undefined) await waitForEnd(id, query.wait, services, signal);
      const run = await findRun(id, services, caller);
      const [steps, messages] = await Promise.all([
        services.store.listSteps(id),
        messagesOf([run], services),
      ]);
      return {
        body: {
          ...runView(run, steps, messages.get(id) ?? []),
          ...(await runBudgetView(id, services)),
          ...(await linksOf(run, services, caller)),
        },
      };
    },
  }),
  operation({
    name: 'run_cancel',
    method: 'POST',
    path: '/v1/runs/:id/cancel',
    summary: 'Cancel a run',
    scope: 'runs:write',
    status: 202,
    answer: 'Run',
    body: z.strictObject({ reason: z.string().max(500).optional() }).optional(),
    async handle({ params, body, services, caller }) {
      const before = await findRun(params.id as string, services, caller);
      const { id } = before;
      const result = await services.store.cancelRun(id, body?.reason ?? 'canceled', services.clock.now());
      if (result?.run.status === 'canceled' && !result.cancelRequested && !isFinal(before.status))
        services.metrics.observer.add('runs_total', { outcome: 'canceled', trigger: result.run.trigger });
      if (result?.cancelRequested === true) services.bus.publish('cancel', { runIds: [id] });
      services.bus.publish('run', { runIds: [id] });
      await audit(services, caller, 'run.canceled', id, {});
      return { body: runView(result?.run ?? (await findRun(id, services, caller))) };
    },
  }),
];

/** The messages that runs wrote, in the order they did; a run that ended well may have one that did not arrive. */
async function messagesOf(runs: readonly Run[], { store }: ApiServices): Promise<Map<string, Delivery[]>> {
  const found = new Map<string, Delivery[]>();
  if (runs.length === 0) return found;
  const { items } = await store.listDeliveries({ runIds: runs.map(({ id }) => id), limit: MOST_MESSAGES });
  for (const delivery of items.reverse()) {
    const own = found.get(delivery.runId as string) ?? [];
    own.push(delivery);
    found.set(delivery.runId as string, own);
  }
  return found;
}

/** What led to a run, the events it was given together, and those it published. */
async function linksOf(run: Run, services: ApiServices, caller: Caller) {
  const [causes, together, published] = await Promise.all([
    causesOfRun(run, services, caller),
    run.trigger === 'event' || run.trigger === 'replay' ? services.store.getRunEvents(run.id) : null,
    services.store.listEventsOfRun(run.id, MOST_LINKS),
  ]);
  const linkOf = ({ id, topic, createdAt }: PublishedEvent) => ({ id, topic, at: instant(createdAt) });
  return {
    causes,
    events: together === null ? null : { count: together.count, items: together.events.map(linkOf) },
    published: published.map(linkOf),
  };
}

/** A run that the caller may see. @throws PaoError 404 also when it is another agent's. */
export async function findRun(id: string, services: ApiServices, caller: Caller) {
  const run = await services.store.getRun(id);
  if (run === null || !maySee(run, caller)) throw notFound('run', id, ['pao run list']);
  return run;
}

/**
 * Waits for news on the bus, with a look every second underneath.
 * @param isEnough what else than its end is waited for, looked at with the run.
 */
export async function waitForEnd(
  id: string,
  timeoutMs: number,
  { store, bus }: ApiServices,
  signal: AbortSignal,
  isEnough: (run: Run) => Promise<boolean> = async () => false,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let wake: () => void = () => {};
    const news = new Promise<void>((resolve) => {
      wake = resolve;
    });
    // Subscribed before the look: what changes in between is heard.
    const unsubscribe = bus.subscribe('run', ({ runIds }) => runIds.includes(id) && wake());
    const timer = setTimeout(wake, Math.min(1000, Math.max(0, deadline - performance.now())));
    signal.addEventListener('abort', wake, { once: true });
    try {
      const run = await store.getRun(id);
      if (run === null || isFinal(run.status) || signal.aborted || performance.now() >= deadline) return;
      if (await isEnough(run)) return;
      await news;
    } finally {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener('abort', wake);
    }
  }
}
