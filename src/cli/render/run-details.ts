import type { RunObject, StepObject } from '../../client/api-objects.js';
import { formatDuration } from '../../domain/duration.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { deliveryColumns, sayWhatNeedsAPerson } from './delivery-lines.js';
import { showCauses, showEventLinks } from './causes.js';
import { errorLines, paintStatus, stepColumns } from './run-lines.js';
import { machineTime } from './task-time.js';

/** Lines and columns of a value that are shown without `--full`. */
const MAX_LINES = 12;
const MAX_COLUMNS = 200;

/** A whole run for people: how it went, and each step with what went in and what came out. */
export function showRun(run: RunObject, out: Output, isFull: boolean): void {
  const { paint } = out;
  const why = run.reason === null ? '' : ` (${visible(run.reason)})`;
  out.line(`${paint.bold(run.task_name)}  ${paintStatus(run.status, paint)}${why}`);
  out.line();
  out.pairs(pairsOf(run), '  ');
  if (run.error !== null) {
    out.line();
    errorLines(
      run.error,
      (line) => out.line(`  ${paint.red(line)}`),
      (hint) => out.line(`  ${out.symbols.arrow} ${hint}`),
    );
  }
  showCauses(out, run.causes ?? []);
  const together = run.events ?? null;
  if (together !== null)
    showEventLinks(
      out,
      `events (${together.count} together)`,
      isFull ? together.items : together.items.slice(-MAX_LINES),
    );
  showEventLinks(out, 'it published', run.published ?? []);
  const steps = run.steps ?? [];
  if (steps.length > 0) {
    out.line();
    out.table(steps, stepColumns(out));
  }
  const messages = run.deliveries ?? [];
  if (messages.length > 0) {
    out.line();
    out.table(messages, deliveryColumns(out, { ofRun: true }));
  }
  let isCut = false;
  for (const step of steps) isCut = showStep(step, out, isFull) || isCut;
  const last = steps.at(-1);
  if (last !== undefined && isSame(run.output, last.output)) {
    out.line();
    out.line(`${paint.dim('output')}  that of ${visible(last.id)}`);
  } else if (run.output !== null && run.output !== undefined) {
    out.line();
    isCut = showValue('output', run.output, out, isFull, '') || isCut;
  }
  sayWhatNeedsAPerson(messages, out);
  if (isCut) out.hint(`pao run show ${run.id} --full`);
}

/** Whether a run's output is what its last step gave, and is shown there. */
const isSame = (output: unknown, step: unknown): boolean =>
  output !== null && output !== undefined && JSON.stringify(output) === JSON.stringify(step);

function pairsOf(run: RunObject): (readonly [string, string])[] {
  const late =
    run.lateness_ms === null || run.lateness_ms < 1000 ? '' : `, ${formatDuration(run.lateness_ms)} late`;
  const pairs: [string, string | null][] = [
    ['id', run.id],
    ['trigger', run.trigger],
    ['scheduled for', machineTime(run.scheduled_for)],
    ['started', run.started_at === null ? null : machineTime(run.started_at) + late],
    ['finished', run.finished_at === null ? null : machineTime(run.finished_at)],
    ['took', run.duration_ms === null ? null : formatDuration(run.duration_ms)],
    ['attempt', run.attempt > 1 ? String(run.attempt) : null],
    ['task version', String(run.task_version)],
    ['spent', spentText(run)],
    ['params', Object.keys(run.params).length === 0 ? null : visible(JSON.stringify(run.params))],
    ['event', run.event_id],
    ['of run', run.parent_run_id],
    ['worker', run.worker_id],
    ['trace', run.trace_id],
  ];
  return pairs.filter((pair): pair is [string, string] => pair[1] !== null);
}

function spentText({ spent }: RunObject): string | null {
  if (spent === undefined || spent.words === 'nothing') return null;
  return `${spent.words}${spent.estimated ? ' (estimated in part)' : ''}`;
}

/** @returns whether something was left out. */
function showStep(step: StepObject, out: Output, isFull: boolean): boolean {
  const { paint } = out;
  out.line();
  out.line(`${paint.bold(visible(step.id))}  ${paint.dim(visible(step.tool ?? ''))}`.trimEnd());
  let isCut = showValue('input', step.input, out, isFull);
  isCut = showValue('output', step.output, out, isFull) || isCut;
  if (step.error !== null)
    errorLines(
      step.error,
      (line) => out.line(`  ${paint.red(`error: ${line}`)}`),
      (hint) => out.line(`  ${out.symbols.arrow} ${hint}`),
    );
  if (step.usage) {
    const { input_tokens: taken, output_tokens: given, estimated } = step.usage;
    out.line(`  ${paint.dim('tokens')}  ${taken} in, ${given} out${estimated ? ' (estimated)' : ''}`);
  }
  if (isFull && step.idempotency_key)
    out.line(`  ${paint.dim('idempotency key')}  ${visible(step.idempotency_key)}`);
  return isCut;
}

/** A JSON value as a block, cut unless `isFull`. @returns whether something was left out. */
function showValue(name: string, value: unknown, out: Output, isFull: boolean, indent = '  '): boolean {
  if (value === null || value === undefined) return false;
  const { paint, symbols } = out;
  const lines = JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => visible(line));
  if (lines.length === 1) {
    const line = lines[0] as string;
    const isLong = !isFull && line.length > MAX_COLUMNS;
    out.line(`${indent}${paint.dim(name)}  ${isLong ? line.slice(0, MAX_COLUMNS) + symbols.ellipsis : line}`);
    return isLong;
  }
  out.line(`${indent}${paint.dim(name)}`);
  const shown = isFull ? lines : lines.slice(0, MAX_LINES);
  let isCut = shown.length < lines.length;
  for (const line of shown) {
    const isLong = !isFull && line.length > MAX_COLUMNS;
    isCut ||= isLong;
    out.line(`${indent}  ${isLong ? line.slice(0, MAX_COLUMNS) + symbols.ellipsis : line}`);
  }
  if (shown.length < lines.length) {
    out.line(`${indent}  ${paint.dim(`${symbols.ellipsis} ${lines.length - shown.length} more lines`)}`);
  }
  return isCut;
}
