import { formatDuration } from '../../domain/duration.js';
import { whyBroken, zoneOf } from '../../domain/broken-schedule.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { REASON_WORDS } from '../../domain/reason-words.js';
import type { Run } from '../../domain/run.js';
import { nextNotLeftOut } from '../../domain/left-out.js';
import { formatInZone } from '../../domain/recurrence/index.js';
import type { Task } from '../../domain/task.js';
import { lastZoneChange } from '../../domain/zone-change.js';
import type { Store } from '../store/store.js';
import type { ApiServices } from './operation.js';
import { explainEvents } from './explain-events.js';
import { runTimeline, type TimelineKind } from './run-timeline.js';
import { instant, localTime, runView, taskWords } from './views.js';
import { windowWords } from './window-view.js';

/** An occurrence this near to the instant that is asked about is the one that is meant. */
const SAME_MS = 60_000;

/** Windows of events that are told of. */
const MOST_WINDOWS = 10;

/** One line of an explanation; with `run_id`, a moment of that run. */
interface Line {
  at: string | null;
  kind: TimelineKind;
  text: string;
  run_id?: string;
}

/** One timeline of a task around an instant, in plain words: what was due, what ran, what did not and why. */
export async function explainTask(task: Task, at: number | null, { store, clock }: ApiServices) {
  const now = clock.now();
  const zone = zoneOf(task.spec.schedule);
  const around = at ?? now;
  const span = at === null ? 7 * 86_400_000 : 12 * 3_600_000;
  const page = await store.listRuns({
    taskId: task.id,
    since: around - span,
    until: around + span,
    limit: at === null ? 10 : 50,
  });
  const runs = page.items.sort((a, b) => a.scheduledFor - b.scheduledFor);
  const lines: Line[] = [];
  for (const run of runs) {
    lines.push({ at: instant(run.scheduledFor), kind: 'due', text: sentence(run, zone) });
    // What was asked for is told moment by moment.
    if (at !== null && Math.abs(run.scheduledFor - at) < SAME_MS)
      lines.push(...(await momentsOf(run, task, zone, store)));
  }
  const moved = await movedByZones(task, store, zone);
  if (moved !== null) lines.push(moved);
  if (task.state !== 'active') {
    lines.push({
      kind: 'note',
      at: instant(task.updatedAt),
      text: `The task is ${task.state}${task.stateReason === null ? '' : `: ${task.stateReason.replace(/\.$/, '')}`}.`,
    });
  }
  const { schedule } = task.spec;
  const broken = whyBroken(schedule);
  if (broken !== null)
    lines.push({
      kind: 'note',
      at: instant(now),
      text: `It can not be scheduled: ${broken.replace(/\.$/, '')}. Its definition in the database was damaged: hand it in again (pao task apply FILE), then pao task resume ${task.name}.`,
    });
  if (at !== null && broken === null && schedule?.kind === 'event')
    for (const said of await explainEvents(task, schedule, at, runs, store))
      lines.push({ kind: 'note', at: instant(said.at), text: said.text });
  const windows = await store.listWindows(task.id);
  for (const window of windows.sort((a, b) => a.closesAt - b.closesAt).slice(0, MOST_WINDOWS))
    lines.push({
      kind: 'note',
      at: instant(window.closesAt),
      text: `Open: ${windowWords(window, task, now)}.`,
    });
  if (windows.length > MOST_WINDOWS)
    lines.push({
      kind: 'note',
      at: instant(now),
      text: `${windows.length - MOST_WINDOWS} more windows are open.`,
    });
  if (at !== null && broken === null && !runs.some((run) => Math.abs(run.scheduledFor - at) < SAME_MS)) {
    const text = withoutRow(task, at, now, zone);
    if (text !== null) lines.push({ kind: 'note', at: instant(at), text });
  }
  if (task.snoozedUntil !== null && task.snoozedUntil > now) {
    lines.push({
      kind: 'note',
      at: instant(task.snoozedUntil),
      text: `Occurrences up to ${localTime(lastSecond(task.snoozedUntil), zone)} ${zone} are left out (snoozed).`,
    });
  }
  const next = broken === null ? nextNotLeftOut(task) : null;
  if (next !== null && task.state === 'active') {
    lines.push({
      kind: 'next',
      at: instant(next),
      text: `Next: ${localTime(next, zone)} ${zone}, in ${formatDuration(Math.max(0, next - now))}.`,
    });
  }
  if (lines.length === 0)
    lines.push({ at: instant(now), kind: 'note', text: 'Nothing was due and nothing ran in this time.' });
  return {
    task: {
      id: task.id,
      name: task.name,
      state: task.state,
      timezone: zone,
      words: taskWords(task, now),
    },
    at: instant(at),
    lines,
    runs: runs.map((run) => runView(run)),
  };
}

/** Why there is no row for an instant; null when that is no question. */
function withoutRow(task: Task, at: number, now: number, zone: string): string | null {
  const { schedule } = task.spec;
  if (!isTimed(schedule)) return null;
  const due = recurrenceOf(schedule).next(at - 1);
  if (due !== at) {
    const after =
      due === null ? 'there is none after it' : `the next one after it is ${localTime(due, zone)}`;
    return `The schedule names no occurrence at ${localTime(at, zone)}; ${after}.`;
  }
  const when = localTime(at, zone);
  if (at < task.createdAt)
    return `${when} lies before the task was created (${localTime(task.createdAt, zone)}).`;
  if (at > now)
    return task.snoozedUntil !== null && at < task.snoozedUntil
      ? `${when} will be left out (snoozed).`
      : `${when} is still to come.`;
  if (at < task.updatedAt)
    return `There is no row for ${when}: the schedule that names it was set later (version ${task.version}, ${localTime(task.updatedAt, zone)}), or its row is older than history is kept.`;
  return `There is no row for ${when}: it is not written yet, or it is older than history is kept.`;
}

async function momentsOf(run: Run, task: Task, zone: string, store: Store): Promise<Line[]> {
  const [steps, messages] = await Promise.all([
    store.listSteps(run.id),
    store.listDeliveries({ runIds: [run.id], limit: 100 }),
  ]);
  return runTimeline(run, steps, task.spec, zone, messages.items.reverse()).map(({ at, kind, text }) => ({
    at: instant(at),
    kind,
    text: `${formatInZone(zone, Math.floor(at / 1000) * 1000, 'time')}  ${text}`,
    run_id: run.id,
  }));
}

/** Its due time was moved by the newest change of the zone database. */
async function movedByZones(task: Task, store: Store, zone: string): Promise<Line | null> {
  const change = await lastZoneChange(store);
  const moved = change?.tasks.find(({ id }) => id === task.id);
  if (change === null || moved === undefined) return null;
  const to = moved.to === null ? 'nowhere: there is no occurrence any more' : localTime(moved.to, zone);
  return {
    at: instant(change.at),
    kind: 'note',
    text: `The time zone database went from ${change.from} to ${change.to}: ${localTime(moved.from, zone)} moved to ${to}.`,
  };
}

/** The last whole second before an instant: what a person skips by name is then named itself. */
const lastSecond = (ms: number): number => Math.floor((ms - 1) / 1000) * 1000;

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
