import {
  SPAN,
  spanIdFor,
  type TraceContext,
  traceIdOf,
  traceStateOf,
} from '../../domain/observability/trace.js';
import type { Run } from '../../domain/run.js';
import type { ApiServices } from './operation.js';

/** Says that a request made a run: a log line, a span, and the count when it ended at once (dedupe). */
export function reportEnqueued(
  run: Run,
  { trace, requestId }: { trace: TraceContext; requestId: string | null },
  { logger, metrics, tracer, clock }: ApiServices,
): void {
  const fields = {
    ...(requestId === null ? {} : { request_id: requestId }),
    trace_id: traceIdOf(run),
    agent_id: run.agentId,
    task_id: run.taskId,
    task: run.taskName,
    run_id: run.id,
    trigger: run.trigger,
  };
  if (run.status === 'queued') logger.info(fields, 'run queued');
  else {
    metrics.observer.add('runs_total', { outcome: run.status, trigger: run.trigger });
    logger.info({ ...fields, status: run.status, reason: run.reason }, 'run recorded without being queued');
  }
  tracer?.span({
    name: `enqueue ${run.taskName}`,
    kind: 'producer',
    traceId: traceIdOf(run),
    traceState: traceStateOf(run),
    spanId: spanIdFor(run.id, SPAN.enqueue),
    parentSpanId: trace.spanId,
    start: run.createdAt,
    end: clock.now(),
    attributes: {
      'pao.run.id': run.id,
      'pao.task.id': run.taskId,
      'pao.run.trigger': run.trigger,
      'pao.run.status': run.status,
    },
  });
}
