import { SPAN, spanIdFor, traceIdOf, traceStateOf } from '../../domain/observability/trace.js';
import { isFinal } from '../../domain/run.js';
import type { Completion, LeasedRun } from '../store/store.js';
import { LineLimit } from '../telemetry/line-limit.js';
import type { Logger } from '../telemetry/logger.js';
import type { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { Tracer } from '../telemetry/tracing.js';
import type { TaskPings } from './task-pings.js';

/** An attempt that ended here and is being written. */
interface EndedAttempt {
  leased: LeasedRun;
  /** When its execution began, epoch milliseconds. */
  beganAt: number;
  seconds: number;
}

/**
 * Says what became of runs: metrics, log lines, spans. Counted when the store has taken the end of a run, not before, so
 * that the counters agree with the rows; a result that was refused is not counted here.
 */
export class RunReport {
  readonly #ended = new Map<string, EndedAttempt>();
  readonly #limit: LineLimit;

  constructor(
    private readonly options: {
      observations: ObservationBuffer;
      logger: Logger;
      tracer: Tracer | null;
      /** Dead-man pings of tasks; null: none. */
      pings: TaskPings | null;
      monotonic: () => number;
    },
  ) {
    this.#limit = new LineLimit(options.monotonic);
  }

  started(leased: LeasedRun, now: number): void {
    const { run, leaseToken } = leased;
    const { observations, logger, tracer, pings } = this.options;
    pings?.started(leased);
    if (run.attempt === 1) {
      const delay = Math.max(0, now - run.runAt) / 1000;
      observations.observe('dispatch_delay_seconds', { trigger: run.trigger }, delay);
    }
    logger.debug(fieldsOf(run), 'run started');
    tracer?.span({
      name: 'lease',
      kind: 'consumer',
      traceId: traceIdOf(run),
      traceState: traceStateOf(run),
      spanId: spanIdFor(run.id, SPAN.lease(leaseToken)),
      parentSpanId: spanIdFor(run.id, SPAN.enqueue),
      start: Math.min(run.runAt, now),
      end: now,
      attributes: { 'pao.run.id': run.id, 'pao.run.attempt': run.attempt },
    });
  }

  /** An attempt ended here; {@link written} follows when its end is stored. */
  ended(leased: LeasedRun, beganAt: number, seconds: number): void {
    this.#ended.set(leased.run.id, { leased, beganAt, seconds });
  }

  /** Their lease had moved on: what they did does not count. */
  fenced(runIds: string[]): void {
    const { observations } = this.options;
    observations.add('fencing_rejections_total', { operation: 'complete' }, runIds.length);
    observations.add('lease_renewals_total', { outcome: 'lost' }, runIds.length);
    for (const id of runIds) {
      const ended = this.#ended.get(id);
      this.#ended.delete(id);
      if (ended !== undefined) this.lost(ended.leased, ended.beganAt, ended.beganAt + ended.seconds * 1000);
    }
  }

  /** The lease moved on while it ran: what it did until then stays in the trace. */
  lost(leased: LeasedRun, beganAt: number, now: number): void {
    const error = { kind: 'lease_lost', message: 'The lease was lost; another worker went on.' };
    this.#trace({ status: 'queued', reason: 'lease_lost', error, finishedAt: now }, leased, beganAt);
  }

  written(completions: Completion[]): void {
    for (const done of completions) {
      const ended = this.#ended.get(done.runId);
      if (ended === undefined) {
        if (done.interrupted === true)
          this.options.observations.add('run_retries_total', { reason: 'interrupted' });
        continue;
      }
      this.#ended.delete(done.runId);
      this.#count(done, ended);
      this.options.pings?.ended(done, ended.leased);
      this.#say(done, ended);
      this.#trace(done, ended.leased, ended.beganAt);
    }
  }

  #count({ status, reason, interrupted }: Completion, { leased, seconds }: EndedAttempt): void {
    const { observations } = this.options;
    if (isFinal(status)) {
      observations.add('runs_total', { outcome: status, trigger: leased.run.trigger });
      observations.observe('task_duration_seconds', { outcome: status }, seconds);
      if (status === 'dead') observations.add('dead_letters_total', { reason: 'attempts_exhausted' });
    } else if (status === 'queued') {
      const why = interrupted === true ? 'interrupted' : reason === 'timeout' ? 'timeout' : 'failure';
      observations.add('run_retries_total', { reason: why });
    }
  }

  #say(done: Completion, { leased, seconds }: EndedAttempt): void {
    const { logger } = this.options;
    const bad = done.status === 'failed' || done.status === 'dead';
    const { pass, heldBack } = this.#limit.take();
    if (heldBack > 0) logger.info({ runs: heldBack }, 'more runs ended than there is a line for');
    if (!pass) return;
    const fields = {
      ...fieldsOf(leased.run),
      status: done.status,
      ...(done.reason === null ? {} : { reason: done.reason }),
      ...(done.error?.step === undefined ? {} : { step_id: done.error.step }),
      ...(done.error === null ? {} : { error: done.error.message }),
      duration_ms: Math.round(seconds * 1000),
    };
    if (bad) logger.warn(fields, 'run failed');
    else logger.info(fields, isFinal(done.status) ? 'run ended' : 'run goes on later');
  }

  #trace(
    done: Pick<Completion, 'status' | 'reason' | 'error' | 'finishedAt'>,
    { run, spec, leaseToken }: LeasedRun,
    beganAt: number,
  ): void {
    this.options.tracer?.span({
      name: `run ${spec.name}`,
      kind: 'internal',
      traceId: traceIdOf(run),
      traceState: traceStateOf(run),
      spanId: spanIdFor(run.id, SPAN.run(leaseToken)),
      parentSpanId: spanIdFor(run.id, SPAN.enqueue),
      start: beganAt,
      end: done.finishedAt,
      attributes: {
        'pao.run.id': run.id,
        'pao.task.id': run.taskId,
        'pao.task.name': spec.name,
        'pao.run.trigger': run.trigger,
        'pao.run.attempt': run.attempt,
        'pao.run.status': done.status,
        ...(done.reason === null ? {} : { 'error.type': done.reason }),
      },
      ...(done.error === null ? {} : { error: done.error.message }),
    });
  }
}

/** What every log line about a run carries, so that it can be followed through all services. */
export function fieldsOf(run: LeasedRun['run']) {
  return {
    trace_id: traceIdOf(run),
    agent_id: run.agentId,
    task_id: run.taskId,
    task: run.taskName,
    run_id: run.id,
    attempt: run.attempt,
  };
}
