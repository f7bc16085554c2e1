import { hasScope } from '../../domain/agent.js';
import { whyBroken } from '../../domain/broken-schedule.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { onVacation, quietAt, type QuietTimes, quietTimesOf } from '../../domain/quiet-times.js';
import type { Task } from '../../domain/task.js';
import { readAgentQuiet } from '../deliver/agent-quiet.js';
import type { ApiServices, Caller } from './operation.js';
import { instant, localTime } from './views.js';

/** Tasks that are looked at for one agenda: an agent may have 10,000. */
const MAX_TASKS = 10_000;
const HOUR_MS = 3_600_000;

interface Due {
  at: number;
  task: Task;
  timezone: string;
}

/**
 * Every occurrence of the next hours over the active tasks that the caller may see, in order of time, with whether it is
 * quiet then.
 * @param limit occurrences listed at most; `truncated` says that there are more.
 * @param often tasks that are due more often than that are named in `often` alone: a minute's beat would push out all else.
 */
export async function agenda(
  { hours, limit, often }: { hours: number; limit: number; often?: number | undefined },
  services: ApiServices,
  caller: Caller,
) {
  const { store, clock } = services;
  const now = clock.now();
  const until = now + hours * HOUR_MS;
  const due: Due[] = [];
  const beats: Due[] = [];
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
    for (const task of page.items) {
      const { nextDueAt, snoozedUntil, spec } = task;
      if (nextDueAt === null || nextDueAt >= until || !isTimed(spec.schedule)) continue;
      if (whyBroken(spec.schedule) !== null) continue;
      const { timezone } = spec.schedule;
      const from = Math.max(now, snoozedUntil ?? 0) - 1;
      // One more than is listed, so that more is known to be there.
      const found = recurrenceOf(spec.schedule)
        .take(from, Math.min(limit, often ?? limit) + 1)
        .filter((at) => at < until)
        .map((at) => ({ at, task, timezone }));
      if (often !== undefined && found.length > often) beats.push(found[0] as Due);
      else due.push(...found);
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && seen < MAX_TASKS);
  const inOrder = (a: Due, b: Due) => a.at - b.at || (a.task.name < b.task.name ? -1 : 1);
  const quietOf = readQuiet(services);
  const items = await Promise.all(due.sort(inOrder).slice(0, limit).map(quietOf));
  return {
    from: instant(now),
    until: instant(until),
    items,
    ...(often === undefined ? {} : { often: await Promise.all(beats.sort(inOrder).map(quietOf)) }),
    truncated: due.length > limit || cursor !== undefined,
  };
}

/** How occurrences are shown; what is quiet for an agent is read once. */
function readQuiet({ store }: ApiServices) {
  const known = new Map<string, Promise<QuietTimes | null>>();
  return async ({ at, task, timezone }: Due) => {
    const { id, name, agentId, spec } = task;
    const ofAgent = known.get(agentId) ?? readAgentQuiet(store, agentId);
    known.set(agentId, ofAgent);
    const times = quietTimesOf(spec, await ofAgent);
    const isSkipped = spec.on_vacation === 'skip' && onVacation(times, at);
    return {
      at: instant(at),
      local: localTime(at, timezone),
      task_id: id,
      task_name: name,
      timezone,
      // Messages wait for its end; what has no message runs as ever.
      quiet: quietAt(times, at)?.reason ?? null,
      ...(isSkipped ? { skipped: true } : {}),
    };
  };
}
