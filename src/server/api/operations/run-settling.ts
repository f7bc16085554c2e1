import { z } from 'zod';
import { conflict, notFound } from '../../../domain/errors.js';
import { newId } from '../../../domain/ids.js';
import { storedTrace } from '../../../domain/observability/trace.js';
import { isFinal, type Run, type StepRun } from '../../../domain/run.js';
import { loadTools } from '../check-task.js';
import { type Operation, operation } from '../operation.js';
import { keptSteps } from '../replay.js';
import { reportEnqueued } from '../report-enqueued.js';
import { audit, findTask, requireScope } from '../task-service.js';
import { runView } from '../views.js';
import { findRun } from './runs.js';

/** Whether a call happened, and whether it may happen twice, is for people to say. */
const DECIDE = 'approvals:decide';

const replayBody = z.strictObject({
  from_step: z.string().max(60).optional(),
  /** Calls of tools with the side effect `once` that did their work are made again as well: for who may decide. */
  again: z.boolean().optional(),
});
const resolveBody = z.strictObject({
  step: z.string().min(1).max(80).optional(),
  /** What a person found out: the call did its work, or it did not. */
  outcome: z.enum(['done', 'not_done']),
  /** For `done`: what the step gave, for the steps after it. */
  output: z.json().optional(),
  comment: z.string().max(500).optional(),
});

/** What a person does with a run that has ended. */
export const runSettlingOperations: Operation[] = [
  operation({
    name: 'run_replay',
    method: 'POST',
    path: '/v1/runs/:id/replay',
    summary:
      'Run it again for the same instant; from_step keeps the results before that step, and what a once tool did is kept unless again, which also needs the scope approvals:decide',
    scope: 'runs:write',
    status: 202,
    answer: 'ReplayedRun',
    body: replayBody.optional(),
    async handle({ params, body, services, caller, trace, requestId }) {
      if (body?.again === true) requireScope(caller, DECIDE);
      const original = await findRun(params.id as string, services, caller);
      requireEnd(original);
      const task = await findTask(original.taskId, services, caller);
      const now = services.clock.now();
      const tools = await loadTools(services);
      const carriedSteps = keptSteps(
        await services.store.listSteps(original.id),
        task,
        (address) => tools.get(address),
        { fromStep: body?.from_step, again: body?.again ?? false },
      );
      const together = await services.store.getRunEvents(original.id);
      const run = await services.store.createRun({
        taskId: task.id,
        now,
        force: true,
        run: {
          id: newId('run', now),
          status: 'queued',
          reason: null,
          trigger: 'replay',
          scheduledFor: original.scheduledFor,
          runAt: now,
          params: original.params,
          eventId: original.eventId,
          parentRunId: original.id,
          dedupeKey: null,
          traceId: storedTrace(trace),
          serial: false,
          carriedSteps,
          ...(together === null
            ? {}
            : { events: { count: together.count, ids: together.events.map(({ id }) => id) } }),
        },
      });
      services.bus.publish('work', { count: 1 });
      reportEnqueued(run, { trace, requestId }, services);
      await audit(services, caller, 'run.replayed', original.id, { run_id: run.id });
      return {
        body: { ...runView(run), kept_steps: carriedSteps.map(({ stepId }) => stepId) },
        location: `/v1/runs/${run.id}`,
      };
    },
  }),
  operation({
    name: 'run_resolve',
    method: 'POST',
    path: '/v1/runs/:id/resolve',
    summary:
      'Say whether a call whose outcome was lost did its work; it is not made again by that. Also needs the scope runs:write',
    scope: DECIDE,
    status: 200,
    answer: 'RunWithSteps',
    body: resolveBody,
    async handle({ params, body, services, caller }) {
      requireScope(caller, 'runs:write');
      const run = await findRun(params.id as string, services, caller);
      requireEnd(run);
      const step = unknownStep(run, await services.store.listSteps(run.id), body.step);
      const isDone = body.outcome === 'done';
      const settled = await services.store.resolveStep({
        runId: run.id,
        stepId: step.stepId,
        status: isDone ? 'succeeded' : 'failed',
        reason: 'resolved',
        output: isDone ? (body.output ?? step.output) : step.output,
        error: isDone
          ? null
          : {
              kind: 'resolved',
              message: `It was not done, says ${caller.agent.name}${body.comment === undefined ? '.' : `: ${body.comment}`}`,
              step: step.stepId,
            },
      });
      if (!settled) throw conflict(`Step ${step.stepId} was settled by somebody else in between.`);
      await audit(services, caller, 'run.resolved', run.id, {
        step: step.stepId,
        outcome: body.outcome,
        ...(body.comment === undefined ? {} : { comment: body.comment }),
      });
      return { body: runView(run, await services.store.listSteps(run.id)) };
    },
  }),
];

function requireEnd(run: Run): void {
  if (!isFinal(run.status)) throw conflict('The run has not ended yet.', [`pao run watch ${run.id}`]);
}

/** @throws PaoError 404 when no step's outcome is unknown, 409 when the one that was named is known. */
function unknownStep(run: Run, steps: readonly StepRun[], wanted: string | undefined): StepRun {
  const unknown = steps.filter(({ status }) => status === 'unknown');
  const show = `pao run show ${run.id}`;
  if (wanted === undefined) {
    const [first, ...more] = unknown;
    if (first !== undefined && more.length === 0) return first;
    throw conflict(
      first === undefined
        ? 'The outcome of every step of this run is known.'
        : `Say which step: ${unknown.map(({ stepId }) => stepId).join(', ')}.`,
      [show],
    );
  }
  const step = steps.find(({ stepId }) => stepId === wanted);
  if (step === undefined) throw notFound('step', wanted, [show]);
  if (step.status !== 'unknown')
    throw conflict(`The outcome of step ${wanted} is known: ${step.status}.`, [show]);
  return step;
}
