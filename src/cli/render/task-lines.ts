import type {
  ChangedTaskObject,
  OccurrenceObject,
  TaskObject,
  WarningObject,
} from '../../client/api-objects.js';
import { counted } from '../../domain/counted.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { fromNow, machineTime, zonedTime } from './task-time.js';

/** The first occurrences of a schedule, one a line. */
export function occurrenceLines(
  items: readonly OccurrenceObject[],
  zone: string | null,
  out: Output,
  label = 'next',
): void {
  for (const { at, local, note } of items) {
    out.line(`  ${out.paint.dim(label)}  ${zonedTime(at, local, zone)}${note ? `  ${visible(note)}` : ''}`);
  }
}

/** The next three occurrences of a task that was handed in, and those it had before where they are others. */
export function changeLines(task: ChangedTaskObject, out: Output): void {
  const next = task.next_occurrences.slice(0, 3);
  const before = (task.previous_occurrences ?? next).slice(0, 3);
  const moved = before.length !== next.length || before.some(({ at }, index) => at !== next[index]?.at);
  if (moved) occurrenceLines(before, task.timezone, out, 'was ');
  occurrenceLines(next, task.timezone, out);
  costLine(task, out);
}

/** What a person should know of a schedule, on stderr. */
export function warningLines(warnings: readonly WarningObject[], out: Output): void {
  for (const { message, hint } of warnings) {
    out.warn(visible(message));
    if (hint) out.hint(visible(hint));
  }
}

/** The schedule of a task in words, without the next time: it stands beside it. */
export const ruleText = ({ words }: Pick<TaskObject, 'words'>): string => words.replace(/; next [^;]*$/, '');

const LONGEST_REASON = 40;

/** What a reason is about (`budget: …`), or its beginning; whole it stands in the state of the task. */
function shortReason(reason: string): string {
  const [kind] = /^\w+(?=: )/.exec(reason) ?? [];
  if (kind !== undefined) return kind;
  return reason.length <= LONGEST_REASON ? reason : `${reason.slice(0, LONGEST_REASON - 3)}...`;
}

/** When a task is due next, or in short why it is not. */
export function dueText(task: TaskObject, now: number): string {
  if (task.state !== 'active')
    return task.state_reason === null ? task.state : `${task.state}: ${shortReason(task.state_reason)}`;
  if (task.next_due_at === null) return '-';
  const when = zonedTime(task.next_due_at, task.next_due_local, task.timezone);
  const leftOut = task.left_out_before ?? 0;
  const note = leftOut === 0 ? '' : `; ${leftOut >= 100 ? 'many' : leftOut} left out before it`;
  return `${when} (${fromNow(task.next_due_at, now)}${note})`;
}

/** A whole task for people: what it is, when it runs, and its steps. */
export function showTask(
  task: TaskObject,
  out: Output,
  now: number,
  named: (text: string) => string = (text) => text,
): void {
  const { paint } = out;
  out.line(`${paint.bold(task.name)}${task.title === null ? '' : `  ${visible(task.title)}`}`);
  if (task.description !== null) out.line(visible(task.description, true).trimEnd());
  out.line();
  out.pairs(
    [
      ['id', task.id],
      ['state', task.state_reason === null ? task.state : `${task.state} (${visible(task.state_reason)})`],
      ['schedule', visible(ruleText(task))],
      ...policyPairs(task),
      ['next', visible(dueText(task, now))],
      ...windowPairs(task),
      ...(task.snoozed_until === null || Date.parse(task.snoozed_until) <= now
        ? []
        : [['snoozed', `until ${machineTime(task.snoozed_until)}`] as const]),
      ['last run', `${machineTime(task.last_run_at)}${agoText(task.last_run_at, now)}`],
      ['version', String(task.version)],
      ['agent', visible(named(task.agent_id))],
      ['created', visible(named(createdText(task)))],
      ...(task.tags?.length ? [['tags', visible(task.tags.join(', '))] as const] : []),
      ...(task.runs_on?.length ? [['runs on', visible(task.runs_on.join(', '))] as const] : []),
      ...monitorPairs(task),
      ...costPairs(task),
      ...(Object.keys(task.params).length === 0
        ? []
        : [['params', visible(JSON.stringify(task.params))] as const]),
    ],
    '  ',
  );
  out.line();
  out.line(paint.dim('pipeline'));
  task.pipeline.forEach((step, index) => {
    out.line(`  ${index + 1}. ${visible(String(step['id'] ?? ''))}  ${paint.dim(visible(stepKind(step)))}`);
  });
}

/** When, by whom, and from inside which run. */
function createdText({ created_at: at, created_by: by, created_in_run: run }: TaskObject): string {
  return [machineTime(at), by && `by ${by}`, run && `in the run ${run}`].filter(Boolean).join(' ');
}

/** Windows of events that are open, five of them. */
function windowPairs({ open_windows: open }: TaskObject): (readonly [string, string])[] {
  if (open === undefined) return [];
  const shown = open.items.slice(0, 5);
  const more = open.total - shown.length;
  return [
    ...shown.map(({ kind, words }) => [kind, visible(words)] as const),
    ...(more === 0 ? [] : [['', `${counted(more, 'more window')} open`] as const]),
  ];
}

/** What is watched about it, in words. */
function monitorPairs({ monitor }: TaskObject): (readonly [string, string])[] {
  if (monitor == null) return [];
  const words = [
    monitor.max_age && `a success every ${monitor.max_age}`,
    monitor.notify_after && `people are told after ${counted(monitor.notify_after, 'failure')} in a row`,
    monitor.cooldown && `not again for ${monitor.cooldown}`,
    monitor.pause_after && `paused after ${counted(monitor.pause_after, 'failure')} in a row`,
    monitor.ping_url &&
      (monitor.ping_style === 'healthchecks'
        ? 'each start, success and failure is pinged'
        : 'each success is pinged'),
    monitor.notify && 'notices go a way of their own',
  ];
  return [['watched', visible(words.filter(Boolean).join(', '))]];
}

/** What it may cost and has cost; nothing for a task that asks no model and has no budget. */
function costPairs({
  estimate,
  budget = null,
  spent_today: spent,
}: TaskObject): (readonly [string, string])[] {
  if (!estimate && budget === null && (spent === undefined || spent.words === 'nothing')) return [];
  return [
    ...(estimate ? [['may cost', visible(estimate.words)] as const] : []),
    ...(budget === null ? [] : [['over budget', budget?.on_exceed === 'pause' ? 'pause' : 'skip'] as const]),
    ...(spent === undefined ? [] : [['spent today', visible(spent.words)] as const]),
  ];
}

/** What a task that was handed in may cost. */
export function costLine({ estimate }: TaskObject, out: Output): void {
  if (estimate) out.line(`  ${out.paint.dim('cost')}  ${visible(estimate.words)}`);
}

const agoText = (at: string | null, now: number) => (at === null ? '' : ` (${fromNow(at, now)})`);

function policyPairs({ priority, timeout, schedule }: TaskObject): (readonly [string, string])[] {
  const { overlap, catchup, jitter }: Record<string, unknown> = schedule ?? {};
  const policies = Object.entries({ overlap, 'catch up': catchupText(catchup), jitter })
    .filter(([, value]) => typeof value === 'string')
    .map(([name, value]) => `${name} ${String(value)}`);
  return [['policies', visible([...policies, `priority ${priority}`, `timeout ${timeout}`].join(', '))]];
}

/** `latest of the last 24h`, `all of the last 3h, 10 at most`, `none`. */
function catchupText(catchup: unknown): string | undefined {
  if (typeof catchup !== 'object' || catchup === null) return undefined;
  const { policy, max, window } = catchup as { policy: string; max: number; window: string };
  if (policy === 'skip') return 'none';
  return `${policy} of the last ${window}${policy === 'all' ? `, ${max} at most` : ''}`;
}

/** What a step does, in one word or two: its tool, or the kind of step it is. */
function stepKind(step: Record<string, unknown>): string {
  if (typeof step['uses'] === 'string') return step['uses'];
  return ['parallel', 'wait', 'approve', 'foreach'].find((kind) => step[kind] !== undefined) ?? '';
}
