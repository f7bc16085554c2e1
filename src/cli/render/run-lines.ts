import type { RunObject, StepObject } from '../../client/api-objects.js';
import { formatDuration } from '../../domain/duration.js';
import { EXIT } from '../../domain/errors.js';
import type { RunError, RunStatus, StepStatus } from '../../domain/run.js';
import type { Paint } from '../colour.js';
import type { Output } from '../output.js';
import type { Column } from '../table.js';
import { visible } from '../visible.js';
import { deliveryText, paintDelivery, sayWhatNeedsAPerson } from './delivery-lines.js';
import { fromNow, machineTime } from './task-time.js';

/** Colours a status: green went well, yellow deserves a look, red failed. */
export function paintStatus(status: RunStatus | StepStatus, paint: Paint, text: string = status): string {
  if (status === 'succeeded') return paint.green(text);
  if (['partial', 'skipped', 'missed', 'waiting', 'unknown', 'canceled'].includes(status))
    return paint.yellow(text);
  return status === 'failed' || status === 'dead' ? paint.red(text) : text;
}

/** The columns of a list of runs; whether messages arrived is told apart from how the run went. */
export const runColumns = (
  out: Output,
  now: number,
  runs: readonly RunObject[] = [],
): Column<RunObject>[] => [
  { header: 'ID', value: ({ id }) => id },
  { header: 'TASK', value: ({ task_name: name }) => name, shrink: true },
  {
    header: 'STATUS',
    value: ({ status, reason }) => (reason === null ? status : `${status} (${reason})`),
    style: (text, { status }) => paintStatus(status, out.paint, text),
  },
  ...(runs.some(({ delivery }) => delivery != null)
    ? [
        {
          header: 'MESSAGE',
          value: ({ delivery }: RunObject) => delivery ?? null,
          style: (text: string, { delivery }: RunObject) =>
            delivery == null ? text : paintDelivery(delivery, out.paint, text),
        },
      ]
    : []),
  { header: 'TRIGGER', value: ({ trigger }) => trigger, drop: true },
  { header: 'SCHEDULED FOR', value: ({ scheduled_for: at }) => machineTime(at), drop: true },
  { header: 'STARTED', value: ({ started_at: at }) => fromNow(at, now) || null },
  {
    header: 'TOOK',
    value: ({ duration_ms: ms }) => (ms === null ? null : formatDuration(ms)),
    align: 'right',
  },
];

/** The columns of the steps of a run. */
export const stepColumns = (out: Output): Column<StepObject>[] => [
  { header: 'STEP', value: ({ id }) => id },
  {
    header: 'STATUS',
    value: ({ status, reason }) => (reason === null ? status : `${status} (${reason})`),
    style: (text, { status }) => paintStatus(status, out.paint, text),
  },
  {
    header: 'TOOK',
    value: ({ duration_ms: ms }) => (ms == null ? null : formatDuration(ms)),
    align: 'right',
  },
  { header: 'ATTEMPTS', value: ({ attempts }) => attempts, align: 'right' },
  { header: 'TOOL', value: ({ tool }) => tool, shrink: true },
];

/** How a run ended, in one line on stderr, and what to look at next. */
export function sayEnd(run: RunObject, out: Output): void {
  const why = run.reason === null ? '' : ` (${run.reason})`;
  const took = run.duration_ms === null ? '' : ` in ${formatDuration(run.duration_ms)}`;
  const text = visible(`${run.task_name}: ${run.status}${why}${took}`);
  if (run.status === 'succeeded') out.success(text);
  else if (exitCodeOfRun(run.status) === EXIT.ok) out.warn(text);
  else out.failure(`${out.paintNote.red(out.symbols.fail)} ${text}`);
  if (run.error !== null) errorLines(run.error, (line) => out.failure(`  ${line}`));
  for (const one of run.deliveries ?? [])
    out.note(`  message to ${visible(one.channel)}: ${deliveryText(one)}`);
  sayWhatNeedsAPerson(run.deliveries ?? [], out);
  out.hint(`pao run show ${run.id}`);
}

/** An error of a run or step: where, what, and what to do (`writeHint`). */
export function errorLines(
  error: RunError,
  write: (line: string) => void,
  writeHint: (hint: string) => void = write,
): void {
  const where = [error.step && `step ${error.step}`, error.pointer].filter(Boolean).join(' at ');
  write(visible(`${where ? `${where}: ` : ''}${error.message} (${error.kind})`));
  if (error.hint) writeHint(visible(error.hint));
}

/** The exit code of a command that waited for a run: 0 when there is nothing to repair. */
export function exitCodeOfRun(status: RunStatus): number {
  return status === 'failed' || status === 'dead' || status === 'canceled' ? EXIT.failed : EXIT.ok;
}
