import { counted } from '../../domain/counted.js';
import { formatDuration, parseDuration } from '../../domain/duration.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import type { Task } from '../../domain/task.js';
import { openStore } from '../../server/store/open.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful, some } from './finding.js';

const LATE_MS = 60_000;
const LONG_RUN_MS = 24 * 3_600_000;
const MANY_EVENTS = 1000;
const EXPIRED_MS = 60_000;

export const workChecks: readonly DoctorCheck[] = [
  {
    id: 'work.lag',
    title: 'Nothing waits that is due',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const now = context.place.now();
      const stats = await (await context.store()).stats(now);
      const oldest = Math.min(stats.oldestDueAt ?? now, stats.nextDueAt ?? now);
      const late = now - oldest;
      const evidence = {
        due: stats.due,
        scheduled: stats.scheduled,
        leased: stats.leased,
        late_ms: Math.max(0, late),
      };
      if (late <= LATE_MS) return evidence;
      const isRunning = context.running() !== null;
      const finding = {
        what: isRunning
          ? `Work has been due for ${formatDuration(late)}, and nobody does it.`
          : `Work has been due for ${formatDuration(late)}, and pao does not run.`,
        why: isRunning
          ? 'The scheduler is stuck, or the workers are busy, paused or lack a tag.'
          : 'At the next start it is caught up as each task says; what is too old is recorded as missed.',
        command: isRunning ? 'pao logs --level warn' : 'pao start local',
        evidence,
      };
      throw isRunning ? broken(finding) : doubtful(finding);
    },
  },
  {
    id: 'work.leases',
    title: 'No run is held by a worker that is gone',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      await context.store();
      const expired = await (await context.database()).expiredLeases(context.place.now() - EXPIRED_MS);
      if (expired === 0) return { expired };
      const isRunning = context.running() !== null;
      const finding = {
        what: `${counted(expired, 'run')} belong${expired === 1 ? 's' : ''} to a worker whose lease ran out.`,
        why: isRunning
          ? 'The scheduler takes them back within seconds; that it did not means that it is stuck.'
          : 'pao was ended at once; the next start goes on with them at their first unfinished step.',
        command: isRunning ? 'pao stop && pao start local --detach' : 'pao start local',
        evidence: { expired },
      };
      throw isRunning ? broken(finding) : doubtful(finding);
    },
  },
  {
    id: 'work.stuck',
    title: 'No run has been under way for a day',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const now = context.place.now();
      const { oldestRunningStartedAt: since } = await (await context.store()).stats(now);
      const age = since === null ? 0 : now - since;
      if (age <= LONG_RUN_MS) return { oldest_ms: age };
      throw doubtful({
        what: `A run has been under way for ${formatDuration(age)}.`,
        why: 'It holds a place of a worker, and an overlap policy may skip what comes after it.',
        command: 'pao run list --status running',
        evidence: { oldest_ms: age },
      });
    },
  },
  {
    id: 'work.without_due',
    title: 'Every active task knows when it is due next',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const store = await context.store();
      const stranded = (await store.findStrandedTasks(0, 1000)).filter(({ nextDueAt }) => nextDueAt === null);
      if (stranded.length === 0) return { tasks: 0 };
      const names = stranded.map(({ name }) => name);
      const mendable = stranded.filter((task) => nextOf(task, context.place.now()) !== null);
      if (mendable.length > 0) {
        context.offer({
          check: 'work.without_due',
          what: `compute when ${some(mendable.map(({ name }) => name))} ${mendable.length === 1 ? 'is' : 'are'} due next`,
          touchesDatabase: true,
          run: () => setDue(context, mendable),
        });
      }
      throw broken({
        what: `${counted(stranded.length, 'active task')} ${stranded.length === 1 ? 'has' : 'have'} no due time: ${some(names)}.`,
        why: 'They look alive and never run.',
        command: 'pao doctor --fix --only work.without_due',
        evidence: { tasks: names.slice(0, 50) },
      });
    },
  },
  {
    id: 'work.never',
    title: 'Every active task can fire',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const tasks = (await context.tasks()).filter(({ state }) => state === 'active');
      const tags = await context.config().then(
        ({ config }) => config.worker_tags,
        () => [],
      );
      const now = context.place.now();
      const never = tasks.flatMap((task) => {
        const why = whyNever(task, now, tags);
        return why === null ? [] : [`${task.name}: ${why}`];
      });
      if (never.length === 0) return { tasks: tasks.length };
      throw doubtful({
        what: never.slice(0, 5).join('\n') + (never.length > 5 ? `\nand ${never.length - 5} more` : ''),
        why: 'They are active, and will never run as they are.',
        command: `pao task show ${never[0]?.split(':')[0]}`,
        evidence: { tasks: never.slice(0, 50) },
      });
    },
  },
  {
    id: 'work.dead',
    title: 'There are no dead letters',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const store = await context.store();
      const { dead } = await store.stats(context.place.now());
      if (dead === 0) return { dead };
      const { items } = await store.listRuns({ statuses: ['dead'], limit: 50 });
      const names = [...new Set(items.map(({ taskName }) => taskName))];
      throw doubtful({
        what: `${counted(dead, 'run')} used up all attempts: ${some(names)}.`,
        why: 'They are kept until somebody replays them; nothing tries them again by itself.',
        command: 'pao run list --status dead',
        evidence: {
          dead,
          tasks: names,
          newest: items[0]?.id ?? null,
          error: items[0]?.error?.message ?? null,
        },
      });
    },
  },
  {
    id: 'work.events',
    title: 'Events are looked at as they come',
    group: 'Work',
    needs: ['database.schema'],
    async run(context) {
      const { undispatchedEvents: waiting } = await (await context.store()).stats(context.place.now());
      const limit = context.running() === null ? 0 : MANY_EVENTS;
      if (waiting <= limit) return { waiting };
      throw doubtful({
        what: `${counted(waiting, 'event')} ${waiting === 1 ? 'has' : 'have'} not been looked at.`,
        why:
          context.running() === null
            ? 'pao does not run; at the next start they trigger their tasks.'
            : 'The scheduler does not keep up: what they trigger runs late.',
        command: context.running() === null ? 'pao start local' : 'pao logs --level warn',
        evidence: { waiting },
      });
    },
  },
];

function nextOf(task: Task, now: number): number | null {
  const { schedule } = task.spec;
  if (schedule?.kind === 'condition') return now;
  try {
    return isTimed(schedule) ? recurrenceOf(schedule).next(now) : null;
  } catch {
    return null;
  }
}

async function setDue(context: DoctorContext, tasks: readonly Task[]): Promise<void> {
  const store = await openStore({ url: await context.databaseUrl() });
  try {
    const now = context.place.now();
    for (const task of tasks) await store.setNextDue(task.id, task.version, nextOf(task, now));
  } finally {
    await store.close();
  }
}

function whyNever(task: Task, now: number, tags: readonly string[]): string | null {
  const { schedule, runs_on: wanted = [] } = task.spec;
  const missing = wanted.filter((tag) => !tags.includes(tag));
  if (missing.length > 0) return `no worker of this configuration has the tag ${missing.join(', ')}`;
  if (task.snoozedUntil !== null && task.snoozedUntil - now > 366 * 86_400_000)
    return `it is snoozed until ${new Date(task.snoozedUntil).toISOString()}`;
  if (!isTimed(schedule)) return null;
  try {
    if (recurrenceOf(schedule).next(now - parseDuration(schedule.catchup.window)) === null)
      return 'its schedule has no further occurrence';
  } catch (error) {
    return `its schedule can not be read (${error instanceof Error ? error.message : String(error)})`;
  }
  return null;
}
