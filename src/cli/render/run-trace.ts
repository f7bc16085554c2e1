import type { RunObject, StepObject } from '../../client/api-objects.js';
import { formatDuration } from '../../domain/duration.js';
import { SPAN, spanIdFor } from '../../domain/observability/trace.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';

/** One line of the waterfall. Times are epoch milliseconds. */
export interface TraceSpan {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  depth: number;
  start: number;
  /** null: it has not ended. */
  end: number | null;
  status: string;
}

/**
 * The trace of a run as far as it is stored: how it came to be, its wait, its run, its steps and what they called. The ids
 * are those that are exported over OTLP and sent to tools; of one that waited in between, each lease exports a run.
 */
export function spansOf(run: RunObject): TraceSpan[] {
  const at = (text: string | null) => (text === null ? null : Date.parse(text));
  const created = Date.parse(run.created_at);
  const started = at(run.started_at);
  const end = at(run.finished_at);
  const root = spanIdFor(run.id, SPAN.enqueue);
  const spans: TraceSpan[] = [
    {
      span_id: root,
      parent_span_id: run.event_id === null ? null : spanIdFor(run.event_id, SPAN.request),
      name: `${ORIGIN[run.trigger] ?? run.trigger} ${run.task_name}`,
      depth: 0,
      start: created,
      end,
      status: run.status,
    },
  ];
  const waited = Math.max(created, Math.min(Date.parse(run.run_at), started ?? Number.POSITIVE_INFINITY));
  spans.push({
    span_id: spanIdFor(run.id, SPAN.lease(run.attempt)),
    parent_span_id: root,
    name: 'wait for a worker',
    depth: 1,
    start: waited,
    end: started,
    status: started === null ? run.status : 'leased',
  });
  if (started === null) return spans;
  const attempt = spanIdFor(run.id, SPAN.run(run.attempt));
  spans.push({
    span_id: attempt,
    parent_span_id: root,
    name: run.attempt > 1 ? `run, attempt ${run.attempt}` : 'run',
    depth: 1,
    start: started,
    end,
    status: run.status,
  });
  for (const step of run.steps ?? []) spans.push(...spansOfStep(run.id, step, attempt));
  return spans;
}

const ORIGIN: Partial<Record<RunObject['trigger'], string>> = {
  manual: 'asked for:',
  event: 'event for',
  replay: 'replay of',
};

function spansOfStep(runId: string, step: StepObject, parent: string): TraceSpan[] {
  if (step.started_at === null) return [];
  const attempt = Math.max(1, step.attempts);
  const id = spanIdFor(runId, SPAN.step(step.id, attempt));
  const common = {
    start: Date.parse(step.started_at),
    end: step.finished_at === null ? null : Date.parse(step.finished_at),
    status: step.status,
  };
  const times = step.attempts > 1 ? ` (${step.attempts} attempts)` : '';
  const spans: TraceSpan[] = [
    { ...common, span_id: id, parent_span_id: parent, name: `${step.id}${times}`, depth: 2 },
  ];
  if (step.tool !== null && step.attempts > 0)
    spans.push({
      ...common,
      span_id: spanIdFor(runId, SPAN.call(step.id, attempt)),
      parent_span_id: id,
      name: step.tool,
      depth: 3,
    });
  return spans;
}

const MIN_BAR = 12;

/** Draws the waterfall: names, bars on one scale, how long each took. */
export function showTrace(run: RunObject, spans: readonly TraceSpan[], out: Output): void {
  const { paint } = out;
  const begin = Math.min(...spans.map(({ start }) => start));
  // What has not ended is drawn to the end of what is known.
  const last = Math.max(begin + 1, ...spans.map(({ start, end }) => end ?? start));
  const names = spans.map(({ name, depth }) => `${'  '.repeat(depth)}${visible(name)}`);
  const nameWidth = Math.max(...names.map((name) => name.length));
  const width = Math.max(
    MIN_BAR,
    Math.min(60, (Number.isFinite(out.width) ? out.width : 100) - nameWidth - 14),
  );
  out.line(`${paint.bold(run.task_name)}  ${paint.dim('trace')} ${run.trace_id}`);
  out.line();
  const column = (time: number) => Math.round(((time - begin) / (last - begin)) * width);
  for (const [index, { start, end, status }] of spans.entries()) {
    const from = Math.min(width - 1, column(start));
    const to = Math.max(from + 1, column(end ?? last));
    const mark = end === null ? '░' : '█';
    const bar = `${' '.repeat(from)}${mark.repeat(to - from)}`.padEnd(width);
    const isBad = /^(failed|dead|unknown)$/.test(status);
    const colour = isBad ? paint.red : end === null ? paint.yellow : paint.cyan;
    const took = end === null ? status : end === start ? '< 1 ms' : formatDuration(end - start);
    out.line(
      `${(names[index] as string).padEnd(nameWidth)}  ${colour(bar)}  ${isBad ? paint.red(took) : took}`,
    );
  }
}
