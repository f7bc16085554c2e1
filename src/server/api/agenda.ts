import { hasScope } from '../../domain/agent.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { ApiServices, Caller } from './operation.js';
import { instant, localTime } from './views.js';

/** Tasks that are looked at for one agenda: an agent may have 10,000. */
const MAX_TASKS = 10_000;
const HOUR_MS = 3_600_000;

/**
 * Every occurrence of the next hours over the active tasks that the caller may see, in order of time.
 * @param limit occurrences listed at most; `truncated` says that there are more.
 */
export async function agenda(hours: number, limit: number, services: ApiServices, caller: Caller) {
  const { store, clock } = services;
  const now = clock.now();
  const until = now + hours * HOUR_MS;
  const due: { at: number; task_id: string; task_name: string; timezone: string }[] = [];
  let cursor: string | undefined;
  let seen = 0;
  do {
    const page = await store.listTasks({
      agentId: hasScope(caller.scopes, 'admin') ? undefined : caller.agent.id,
      states: ['active'],
      limit: 1000,
      cursor,
    });
    seen += page.items.length;
    for (const { id, name, nextDueAt, snoozedUntil, spec } of page.items) {
      if (nextDueAt === null || nextDueAt >= until || !isTimed(spec.schedule)) continue;
      const { timezone } = spec.schedule;
      const from = Math.max(now, snoozedUntil ?? 0) - 1;
      // One more than is listed, so that more is known to be there.
      for (const at of recurrenceOf(spec.schedule).take(from, limit + 1)) {
        if (at >= until) break;
        due.push({ at, task_id: id, task_name: name, timezone });
      }
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && seen < MAX_TASKS);
  due.sort((a, b) => a.at - b.at || (a.task_name < b.task_name ? -1 : 1));
  return {
    from: instant(now),
    until: instant(until),
    items: due
      .slice(0, limit)
      .map(({ at, ...task }) => ({ at: instant(at), local: localTime(at, task.timezone), ...task })),
    truncated: due.length > limit || cursor !== undefined,
  };
}
