import { formatDuration } from '../../domain/duration.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { REASON_WORDS } from '../../domain/reason-words.js';
import type { Run } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { ApiServices } from './operation.js';
import { nextNotLeftOut } from './task-service.js';
import { instant, localTime, runView, scheduleWords } from './views.js';

/** One timeline of a task around an instant, in plain words: what was due, what ran, what did not and why. */
export async function explainTask(task: Task, at: number | null, { store, clock }: ApiServices) {
  const now = clock.now();
  const zone = task.spec.schedule?.timezone ?? 'UTC';
  const around = at ?? now;
  const span = at === null ? 7 * 86_400_000 : 12 * 3_600_000;
  const page = await store.listRuns({
    taskId: task.id,
    since: around - span,
    until: around + span,
    limit: at === null ? 10 : 50,
  });
  const runs = page.items.sort((a, b) => a.scheduledFor - b.scheduledFor);
  const lines = runs.map((run) => ({ at: instant(run.scheduledFor), text: sentence(run, zone) }));
  if (task.state !== 'active') {
    lines.push({
      at: instant(task.updatedAt),
      text: `The task is ${task.state}${task.stateReason === null ? '' : `: ${task.stateReason}`}.`,
    });
  }
  if (at !== null && isTimed(task.spec.schedule)) {
    const recurrence = recurrenceOf(task.spec.schedule);
    const due = recurrence.next(at - 1);
    if (due !== at && !runs.some((run) => Math.abs(run.scheduledFor - at) < 60_000)) {
      const after =
        due === null ? 'there is none after it' : `the next one after it is ${localTime(due, zone)}`;
      lines.push({
        at: instant(at),
        text: `The schedule names no occurrence at ${localTime(at, zone)}; ${after}.`,
      });
    }
  }
  if (task.snoozedUntil !== null && task.snoozedUntil > now) {
    lines.push({
      at: instant(task.snoozedUntil),
      text: `Occurrences before ${localTime(task.snoozedUntil, zone)} are skipped (snoozed).`,
    });
  }
  const next = nextNotLeftOut(task);
  if (next !== null && task.state === 'active') {
    lines.push({
      at: instant(next),
      text: `Next: ${localTime(next, zone)}, in ${formatDuration(Math.max(0, next - now))}.`,
    });
  }
  if (lines.length === 0)
    lines.push({ at: instant(now), text: 'Nothing was due and nothing ran in this time.' });
  return {
    task: {
      id: task.id,
      name: task.name,
      state: task.state,
      timezone: zone,
      words: scheduleWords(task.spec.schedule, now),
    },
    at: instant(at),
    lines,
    runs: runs.map((run) => runView(run)),
  };
}

function sentence(run: Run, zone: string): string {
  const when = localTime(run.scheduledFor, zone);
  const why = run.reason === null ? '' : `: ${REASON_WORDS[run.reason] ?? run.reason}`;
  if (run.status === 'skipped' || run.status === 'missed') return `${when}: ${run.status}${why}.`;
  const how = run.trigger === 'schedule' ? '' : ` (${run.trigger})`;
  const late =
    run.startedAt === null
      ? ''
      : `, started ${formatDuration(Math.max(0, run.startedAt - run.scheduledFor))} after its time`;
  const took =
    run.startedAt === null || run.finishedAt === null
      ? ''
      : `, took ${formatDuration(run.finishedAt - run.startedAt)}`;
  const attempts = run.attempt > 1 ? `, ${run.attempt} attempts` : '';
  const error = run.error === null ? why : `: ${run.error.message}`;
  return `${when}: ${run.status}${how}${late}${took}${attempts}${error}`;
}
