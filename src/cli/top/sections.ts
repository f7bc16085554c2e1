import { formatDuration } from '../../domain/duration.js';
import { unitWords } from '../../domain/budget-words.js';
import { fromNow, readableLocal } from '../render/task-time.js';
import { visible } from '../visible.js';
import type { TopPart, TopRun, TopSnapshot } from './snapshot.js';

/** What a row stands for: what Enter shows, and what keys act on. */
export interface RowTarget {
  kind: 'run' | 'task' | 'approval' | 'delivery' | 'worker' | 'agent' | 'check';
  id: string;
  /** The task it is about, if any. */
  task?: { id: string; name: string };
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain';

/** One line of a section; all of it is safe for a terminal. */
export interface TopRow {
  /** The same row keeps its key from look to look, so that what is selected stays selected. */
  key: string;
  tone: Tone;
  name: string;
  detail: string;
  /** Stands at the right, and is not cut. */
  note: string;
  target: RowTarget;
}

export interface TopSection {
  id: string;
  title: string;
  rows: TopRow[];
  /** Stands in place of rows: that there is nothing, or why it cannot be seen. */
  empty: string;
  /** Of a wide screen's two columns. */
  column: 'left' | 'right';
}

/** The sections of a dashboard, in the order in which a person should read them; those that have nothing to say are left out. */
export function sectionsOf(snapshot: TopSnapshot): TopSection[] {
  const now = Date.parse(snapshot.at);
  const hidden = new Map(snapshot.not_shown.map(({ part, message }) => [part, visible(message)]));
  const section = (
    id: TopPart | 'health',
    title: string,
    rows: TopRow[],
    column: TopSection['column'],
    nothing: string | null,
  ): TopSection[] => {
    const why = hidden.get(id as TopPart);
    const empty = why === undefined ? nothing : `cannot be shown: ${why}`;
    if (empty === null && rows.length === 0) return [];
    return [
      { id, title: rows.length === 0 ? title : `${title} ${rows.length}`, rows, empty: empty ?? '', column },
    ];
  };
  return [
    ...section('health', 'Needs a look', healthRows(snapshot), 'left', null),
    ...section('approvals', 'Waits for a person', approvalRows(snapshot, now), 'left', 'nothing'),
    ...section('running', 'Under way', runningRows(snapshot, now), 'left', 'nothing'),
    ...section('failed', 'Failed in the last hour', failedRows(snapshot, now), 'left', 'nothing'),
    ...section('messages', 'Messages not delivered', messageRows(snapshot, now), 'left', null),
    ...section('budgets', 'Budgets near their limit', budgetRows(snapshot), 'right', null),
    ...section('next', 'Due next', nextRows(snapshot, now), 'right', 'nothing in the next 24 hours'),
    ...section('workers', 'Workers', workerRows(snapshot, now), 'right', 'none gave a sign'),
    ...section('paused', 'Paused', pausedRows(snapshot, now), 'right', null),
  ];
}

function healthRows({ health }: TopSnapshot): TopRow[] {
  return health.checks
    .filter(({ status }) => status !== 'pass')
    .map(({ name, status, message, hint }) => ({
      key: `check ${name}`,
      tone: status === 'fail' ? 'bad' : 'warn',
      name: visible(name),
      detail: visible(message),
      note: hint === null ? '' : visible(hint),
      target: { kind: 'check', id: name },
    }));
}

function approvalRows({ approvals }: TopSnapshot, now: number): TopRow[] {
  return approvals.map(({ id, task_id, task_name, message, expires_at: at }) => ({
    key: `approval ${id}`,
    tone: 'warn',
    name: visible(task_name),
    detail: visible(message),
    note: `ends ${fromNow(at, now)}`,
    target: { kind: 'approval', id, task: { id: task_id, name: task_name } },
  }));
}

function runningRows({ running, workers }: TopSnapshot, now: number): TopRow[] {
  const slots = new Map(workers.map(({ id, slot }) => [id, slot]));
  const asked = [...running].sort((a, b) => (a.status < b.status ? -1 : a.status > b.status ? 1 : 0));
  return asked.map((run) => ({
    key: `run ${run.id}`,
    tone: run.status === 'waiting' ? 'warn' : 'good',
    name: visible(run.task_name),
    detail: visible(
      [
        run.status === 'waiting' ? `waits${run.reason === null ? '' : ` (${run.reason})`}` : 'runs',
        // One that waits has left its worker.
        run.worker_id === null || run.status === 'waiting'
          ? null
          : `on ${slots.get(run.worker_id) ?? run.worker_id}`,
        run.attempt > 1 ? `attempt ${run.attempt}` : null,
      ]
        .filter(Boolean)
        .join(' '),
    ),
    note: run.started_at === null ? '' : age(now - Date.parse(run.started_at)),
    target: runTarget(run),
  }));
}

function failedRows({ failed }: TopSnapshot, now: number): TopRow[] {
  return failed.map((run) => {
    const why =
      run.error === null ? run.reason : `${run.error.step ? `${run.error.step}: ` : ''}${run.error.message}`;
    return {
      key: `run ${run.id}`,
      tone: run.status === 'missed' ? 'warn' : 'bad',
      name: visible(run.task_name),
      detail: visible([run.status, why].filter(Boolean).join(': ')),
      note: fromNow(run.finished_at ?? run.scheduled_for, now),
      target: runTarget(run),
    };
  });
}

function messageRows({ messages }: TopSnapshot, now: number): TopRow[] {
  return messages.map((message) => ({
    key: `delivery ${message.id}`,
    tone: message.status === 'failed' ? 'bad' : message.status === 'unknown' ? 'warn' : 'plain',
    name: visible(message.channel),
    detail: visible(
      message.status +
        (message.reason === null ? '' : ` (${message.reason})`) +
        (message.error === null ? '' : `: ${message.error.message}`),
    ),
    note: message.due_at === null ? fromNow(message.created_at, now) : fromNow(message.due_at, now),
    target: { kind: 'delivery', id: message.id },
  }));
}

function nextRows({ next }: TopSnapshot, now: number): TopRow[] {
  return next.map(({ at, local, task_id: id, task_name: name, timezone }) => ({
    key: `next ${id} ${at}`,
    tone: 'plain',
    name: visible(name),
    detail: fromNow(at, now),
    // The year is this one: no more than a day is shown.
    note: visible(`${readableLocal(local).replace(/ \d{4} /, ' ')} ${timezone ?? ''}`.trimEnd()),
    target: { kind: 'task', id, task: { id, name } },
  }));
}

/** A worker that gave no sign for so long is likely gone; they do so every few seconds. */
const SILENT_MS = 30_000;

function workerRows({ workers, running }: TopSnapshot, now: number): TopRow[] {
  return workers.map(({ id, slot, host, slots_busy: busy, slots_total: total, last_seen_at: at }) => {
    const silentMs = now - Date.parse(at);
    const own = running.filter(({ worker_id: on, status }) => on === id && status === 'running');
    return {
      key: `worker ${id}`,
      tone: silentMs > SILENT_MS ? 'bad' : 'plain',
      name: visible(slot),
      detail: visible(
        `${busy} of ${total} busy${own.length === 0 ? '' : `: ${own.map(({ task_name: name }) => name).join(', ')}`}`,
      ),
      note: silentMs > SILENT_MS ? `silent for ${formatDuration(silentMs)}` : visible(host),
      target: { kind: 'worker', id },
    };
  });
}

function budgetRows({ budgets }: TopSnapshot): TopRow[] {
  return budgets.map(({ kind, id, name, unit, used, limit, share }) => ({
    key: `budget ${kind} ${id} ${unit}`,
    tone: share >= 1 ? 'bad' : 'warn',
    name: visible(`${kind} ${name}`),
    detail: `${unitWords(unit as Parameters<typeof unitWords>[0], used)} of ${unitWords(unit as Parameters<typeof unitWords>[0], limit)} today`,
    note: `${Math.floor(share * 100)} %`,
    target: kind === 'task' ? { kind, id, task: { id, name } } : { kind, id },
  }));
}

function pausedRows({ paused }: TopSnapshot, now: number): TopRow[] {
  return paused.map(({ id, name, state_reason: reason, updated_at: at }) => ({
    key: `paused ${id}`,
    tone: 'warn',
    name: visible(name),
    detail: reason === null ? '' : visible(reason),
    note: fromNow(at, now),
    target: { kind: 'task', id, task: { id, name } },
  }));
}

/** In whole seconds: tenths of what is looked at every other second say nothing. */
const age = (ms: number): string =>
  formatDuration(Math.max(0, Math.floor(ms / 1000) * 1000)).replace(/^0ms$/, '0s');

const runTarget = ({ id, task_id, task_name }: TopRun): RowTarget => ({
  kind: 'run',
  id,
  task: { id: task_id, name: task_name },
});
