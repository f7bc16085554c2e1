import type { Delivery } from '../../domain/delivery.js';
import { formatDuration } from '../../domain/duration.js';
import { isMessage } from '../../domain/pipeline/step.js';
import { REASON_WORDS } from '../../domain/reason-words.js';
import { formatInZone } from '../../domain/recurrence/index.js';
import type { Run, StepRun } from '../../domain/run.js';
import type { TaskSpec } from '../../domain/task.js';

/** What a line of a timeline is about. */
export type TimelineKind =
  | 'due'
  | 'gated'
  | 'skipped'
  | 'missed'
  | 'leased'
  | 'step'
  | 'delivered'
  | 'ended'
  | 'next'
  | 'note';

/** One moment of a run. */
export interface TimelineEntry {
  at: number;
  kind: TimelineKind;
  text: string;
}

/** Less than this is no waiting worth telling, milliseconds. */
const WORTH_TELLING_MS = 2000;

const TRIGGERS: Record<Run['trigger'], string> = {
  schedule: 'due by its schedule',
  catchup: 'due by its schedule, and caught up',
  manual: 'asked for by hand',
  event: 'triggered by an event',
  condition: 'time to look at its condition',
  replay: 'replayed',
};

/** Everything that is known of one run, in order of time: due, gated, skipped or missed, leased, steps, delivered, ended. */
export function runTimeline(
  run: Run,
  steps: readonly StepRun[],
  spec: TaskSpec,
  zone: string,
  deliveries: readonly Delivery[],
): TimelineEntry[] {
  const entries: TimelineEntry[] = [{ at: run.scheduledFor, kind: 'due', text: TRIGGERS[run.trigger] }];
  const add = (at: number, kind: TimelineKind, text: string) => entries.push({ at, kind, text });
  if (run.createdAt - run.scheduledFor > WORTH_TELLING_MS)
    add(run.createdAt, 'gated', `found ${formatDuration(run.createdAt - run.scheduledFor)} late`);
  const leftOut =
    run.startedAt === null && (run.status === 'skipped' || run.status === 'missed') ? run.status : null;
  if (leftOut !== null) add(run.createdAt, leftOut, reasonText(run));
  else entries.push(...startOf(run, zone));
  const told = new Set(
    spec.pipeline
      .flatMap((step) => [step, ...(step.parallel ?? [])])
      .filter((step) => !isMessage(step) && step.idempotency_key !== undefined)
      .map(({ id }) => id),
  );
  for (const step of steps) {
    const at = step.finishedAt ?? step.startedAt ?? run.createdAt;
    add(at, isDelivery(step, told) ? 'delivered' : 'step', stepText(step, told));
  }
  for (const one of deliveries) add(one.finishedAt ?? one.updatedAt, 'delivered', deliveryText(one, zone));
  if (run.finishedAt !== null && leftOut === null)
    add(run.finishedAt, 'ended', `${run.status}${reasonText(run) === '' ? '' : `: ${reasonText(run)}`}`);
  return entries.sort((a, b) => a.at - b.at);
}

function startOf(run: Run, zone: string): TimelineEntry[] {
  const { scheduledFor, createdAt, runAt, startedAt, attempt, deaths, workerId } = run;
  const entries: TimelineEntry[] = [];
  const ready = Math.max(scheduledFor, createdAt);
  // After a retry, run_at is when the newest attempt was due.
  if (attempt <= 1 && runAt - ready > WORTH_TELLING_MS)
    entries.push({
      at: ready,
      kind: 'gated',
      text: `its start was put off to ${formatInZone(zone, runAt, 'time')} (jitter, or a slot among catch-up runs)`,
    });
  if (startedAt === null) {
    entries.push({
      at: ready,
      kind: 'gated',
      text: 'waits for a worker, its concurrency key or a run before it',
    });
    return entries;
  }
  const waited = attempt <= 1 ? startedAt - Math.max(ready, runAt) : 0;
  if (waited > WORTH_TELLING_MS)
    entries.push({
      at: startedAt,
      kind: 'gated',
      text: `had waited ${formatDuration(waited)} for a worker, its concurrency key or a run before it`,
    });
  const by = workerId === null ? '' : ` by ${/^wrk_([a-z0-9]+)_/.exec(workerId)?.[1] ?? workerId}`;
  const again = attempt > 1 ? `; ${attempt} attempts in all` : '';
  const died =
    deaths > 0 ? `; ${deaths} ${deaths === 1 ? 'worker' : 'workers'} died of it or while it ran` : '';
  entries.push({ at: startedAt, kind: 'leased', text: `leased${by}${again}${died}` });
  return entries;
}

const isDelivery = ({ status, stepId }: StepRun, told: ReadonlySet<string>): boolean =>
  status === 'succeeded' && told.has(stepId.replace(/\[\d+\]$/, ''));

function stepText(step: StepRun, told: ReadonlySet<string>): string {
  const { stepId, tool, status, reason, attempts, startedAt, finishedAt, error } = step;
  const name = tool === null ? stepId : `${stepId} (${tool})`;
  const took =
    startedAt === null || finishedAt === null
      ? ''
      : ` in ${formatDuration(Math.max(0, finishedAt - startedAt))}`;
  const tries = attempts > 1 ? `, ${attempts} attempts` : '';
  const why = error?.message ?? (reason === null ? '' : (REASON_WORDS[reason] ?? reason));
  if (isDelivery(step, told)) return `delivered: ${name}${took}${tries}`;
  return `step ${name} ${status}${took}${tries}${why === '' ? '' : `: ${why}`}`;
}

function deliveryText(delivery: Delivery, zone: string): string {
  const { channel, stepId, status, attempts, error, reason, dueAt } = delivery;
  const what = `message of ${stepId ?? 'the run'} (${channel})`;
  const tries = attempts > 1 ? `, ${attempts} attempts` : '';
  if (status === 'delivered') return `delivered: ${what}${tries}`;
  const until = dueAt === null ? '' : ` until ${formatInZone(zone, dueAt, 'time')}`;
  const why = error?.message ?? (reason === null ? '' : (REASON_WORDS[reason] ?? reason));
  return `${what} ${status}${until}${tries}${why === '' ? '' : `: ${why}`}`;
}

function reasonText({ reason, error }: Run): string {
  if (error !== null) return error.message;
  return reason === null ? '' : (REASON_WORDS[reason] ?? reason);
}
