import { SPAN, spanIdFor, traceIdOf, traceStateOf } from '../../domain/observability/trace.js';
import type { PublishedEvent } from '../../domain/event.js';
import type {
  DueDecision,
  DueTask,
  EventMatch,
  EventWindow,
  NewRun,
  ScheduledResult,
  WindowChange,
} from '../store/store.js';
import type { LineLimit } from '../telemetry/line-limit.js';
import type { Logger } from '../telemetry/logger.js';
import type { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { Tracer } from '../telemetry/tracing.js';

/** Why an occurrence was missed, as the metric has it. */
const MISFIRES: Record<string, string> = {
  catchup_window: 'window',
  catchup_skip: 'skip',
  catchup_latest: 'latest',
  catchup_max: 'max',
};

interface Decided {
  task: DueTask['task'];
  /** Runs of the task that were in progress before. */
  active: number;
  run: NewRun;
  event: PublishedEvent | null;
}

/** Where the tally goes. */
export interface TallyTargets {
  observations: ObservationBuffer;
  logger: Logger;
  tracer: Tracer | null;
  limit: LineLimit;
}

/**
 * What one transaction of the scheduler decided, counted once it is stored. A store may ask for a decision again when it
 * repeats its transaction: the last answer for a task or event is the one that counts.
 */
export class Tally {
  /** By task. */
  readonly decisions = new Map<string, DueDecision>();
  readonly #decided = new Map<string, Decided[]>();
  readonly #events = new Map<string, PublishedEvent>();

  due(due: DueTask, decision: DueDecision): DueDecision {
    const active = due.activeRuns;
    this.decisions.set(due.task.id, decision);
    this.#decided.set(
      due.task.id,
      decision.runs.map((run) => ({ task: due.task, active, run, event: null })),
    );
    return decision;
  }

  event(event: PublishedEvent, candidates: DueTask[], matches: EventMatch[]): EventMatch[] {
    this.#events.set(event.id, event);
    const tasks = new Map(candidates.map((one) => [one.task.id, one]));
    this.#decided.set(event.id, []);
    return matches.map((one) => {
      const due = tasks.get(one.taskId);
      if (due === undefined) return one;
      const add = (run: NewRun) =>
        this.#decided.get(event.id)?.push({ task: due.task, active: due.activeRuns - 1, run, event });
      if ('run' in one) {
        add(one.run);
        return one;
      }
      const { change } = one;
      return {
        ...one,
        change: (open, others) => {
          const changed = change(open, others);
          for (const run of changed.runs) add(run);
          return changed;
        },
      };
    });
  }

  window(due: DueTask, window: EventWindow, change: WindowChange): WindowChange {
    this.#decided.set(
      `${due.task.id}/${window.key}`,
      change.runs.map((run) => ({ task: due.task, active: due.activeRuns - 1, run, event: null })),
    );
    return change;
  }

  /** Counts, says and traces what the transaction wrote. */
  commit(result: ScheduledResult & { events?: number }, now: number, targets: TallyTargets): void {
    const { observations } = targets;
    for (const event of this.#events.values())
      observations.observe('event_delivery_delay_seconds', {}, Math.max(0, now - event.createdAt) / 1000);
    for (const { trigger } of result.canceled)
      observations.add('runs_total', { outcome: 'canceled', trigger });
    observations.add('event_deliveries_total', { outcome: 'ok' }, result.events ?? 0);
    const all = [...this.#decided.values()].flat();
    const isExact = all.length === result.queued + result.skipped + result.missed && result.duplicates === 0;
    if (!isExact) {
      // Another scheduler had written some of them, or a task was paused for an error: the store's own figures count.
      observations.add('runs_total', { outcome: 'skipped', trigger: 'schedule' }, result.skipped);
      observations.add('runs_total', { outcome: 'missed', trigger: 'schedule' }, result.missed);
      observations.add('schedule_misfires_total', { policy: 'window' }, result.missed);
      return;
    }
    for (const one of all) {
      count(one, observations);
      tell(one, now, targets);
    }
  }
}

function count({ task, active, run }: Decided, observations: ObservationBuffer): void {
  const { status, reason, trigger } = run;
  if (status !== 'queued') observations.add('runs_total', { outcome: status, trigger });
  if (status === 'missed')
    observations.add('schedule_misfires_total', { policy: MISFIRES[reason ?? ''] ?? 'window' });
  else if (trigger === 'catchup' && status === 'queued')
    observations.add('schedule_misfires_total', { policy: 'catch_up' });
  const { schedule } = task.spec;
  if (schedule !== undefined && (reason === 'overlap' || (status === 'queued' && active > 0)))
    observations.add('schedule_overlaps_total', { policy: schedule.overlap });
}

function tell({ task, run, event }: Decided, now: number, { logger, tracer, limit }: TallyTargets): void {
  const { pass, heldBack } = limit.take();
  if (heldBack > 0) logger.info({ runs: heldBack }, 'more occurrences were written than there is a line for');
  if (pass) {
    const fields = {
      trace_id: traceIdOf(run),
      agent_id: task.agentId,
      task_id: task.id,
      task: task.name,
      run_id: run.id,
      trigger: run.trigger,
      scheduled_for: new Date(run.scheduledFor).toISOString(),
      ...(event === null ? {} : { event_id: event.id }),
    };
    if (run.status === 'queued') logger.info(fields, 'run queued');
    else
      logger.info({ ...fields, status: run.status, reason: run.reason }, 'occurrence recorded without a run');
  }
  tracer?.span({
    name: `schedule ${task.name}`,
    kind: 'producer',
    traceId: traceIdOf(run),
    traceState: traceStateOf(run),
    spanId: spanIdFor(run.id, SPAN.enqueue),
    parentSpanId: event === null ? null : spanIdFor(event.id, SPAN.request),
    start: event?.createdAt ?? now,
    end: now,
    attributes: {
      'pao.run.id': run.id,
      'pao.task.id': task.id,
      'pao.run.trigger': run.trigger,
      'pao.run.status': run.status,
    },
  });
}
