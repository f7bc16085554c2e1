import { hasScope } from '../../domain/agent.js';
import { isUnavailable, PaoError } from '../../domain/errors.js';
import { newId } from '../../domain/ids.js';
import { isFinal, type Run, type RunError } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import type { Store, StepWrite } from '../store/store.js';
import type { PlannedStep } from './plan.js';
import type { CallFrame, CallOutcome } from './step-caller.js';

/** How many calls of tasks may be on top of each other. */
export const MAX_CALL_DEPTH = 8;
/** How long a run that waits for another one sleeps at most: its end wakes it, and this is underneath. */
const LOOK_AGAIN_MS = 60_000;
/** Where the chain of runs is followed no further, replays included. */
const MAX_CHAIN = 64;

/** Whether a tool is `task.run`, the one that starts a run of another task. */
export const callsTask = (tool: Tool): boolean =>
  tool.kind === 'builtin' &&
  tool.address === 'task.run' &&
  (tool.builtin?.name ?? tool.address) === 'task.run';

interface CallInput {
  task: string;
  params?: Record<string, unknown>;
  wait?: boolean;
}

/** What the step has as output while it waits, and when it is done. */
interface CallState {
  run_id: string;
  /** When its own timeout is up, epoch milliseconds. */
  until_ms?: number;
}

/**
 * Steps that call a task. The id of the run is recorded before the run is written: whatever dies in between, the next look
 * finds the run or writes it, and never a second one. While it waits the caller holds no worker.
 */
export class CalledTasks {
  constructor(private readonly options: { store: Store; now: () => number; onStarted?: () => void }) {}

  /** The step as it is recorded before the run is started. */
  announce(begun: StepWrite, planned: PlannedStep): StepWrite {
    const now = this.options.now();
    const output: CallState = {
      run_id: newId('run', now),
      ...(planned.timeoutMs === null ? {} : { until_ms: now + planned.timeoutMs }),
    };
    return { ...begun, output };
  }

  /** What became of a call that was announced; makes it when it was not made. */
  async look(step: StepWrite, frame: CallFrame): Promise<CallOutcome> {
    const state = step.output as CallState;
    const input = step.input as CallInput;
    let run = await this.options.store.getRun(state.run_id);
    if (run === null) {
      const started = await this.#start(state.run_id, input, frame);
      if ('error' in started) return this.#fail(frame, step, started.error);
      run = started.run;
    }
    if (input.wait === false) return this.#done(frame, step, { run_id: run.id, status: run.status });
    if (isFinal(run.status)) return this.#conclude(frame, step, run);
    const now = this.options.now();
    const until = state.until_ms ?? Number.POSITIVE_INFINITY;
    if (now >= until) {
      await this.options.store.cancelRun(run.id, 'caller_timeout', now);
      return this.#fail(frame, step, {
        kind: 'timeout',
        message: `The task ${run.taskName} did not end in time; it was asked to stop.`,
        hint: `pao run show ${run.id}`,
      });
    }
    frame.state.put({ ...step, status: 'waiting', reason: 'task' });
    const runAt = Math.min(until, now + LOOK_AGAIN_MS);
    return { type: 'later', status: 'waiting', runAt, reason: 'task', error: null };
  }

  async #start(
    id: string,
    input: CallInput,
    frame: CallFrame,
  ): Promise<{ run: Run } | { error: Omit<RunError, 'step'> }> {
    const { store, now } = this.options;
    const caller = frame.state.leased.run;
    const task = await this.#find(input.task, caller.agentId, frame.scopes);
    if (task === null) {
      return {
        error: {
          kind: 'config_error',
          message: `There is no task ${input.task} that this one may call.`,
          hint: 'pao task list',
        },
      };
    }
    const callers = await this.#callers(caller);
    if (callers.length > MAX_CALL_DEPTH) {
      return {
        error: {
          kind: 'recursion',
          message: `Tasks call each other more than ${MAX_CALL_DEPTH} deep: ${callers
            .map((run) => run.taskName)
            .reverse()
            .join(' → ')} → ${task.name}.`,
        },
      };
    }
    const { overlap } = task.spec.schedule ?? {};
    const isAbove = callers.some((run) => run.taskId === task.id);
    try {
      const run = await store.createRun({
        taskId: task.id,
        now: now(),
        run: {
          id,
          status: 'queued',
          reason: null,
          trigger: 'manual',
          // Its times are those of the run that calls it: a catch-up speaks of the right day all the way down.
          scheduledFor: caller.scheduledFor,
          runAt: now(),
          params: input.params ?? {},
          eventId: caller.eventId,
          parentRunId: caller.id,
          dedupeKey: task.spec.dedupe?.key ?? null,
          traceId: caller.traceId,
          // One that waits for itself would wait for ever.
          serial: (overlap === 'queue' || overlap === 'cancel_previous') && !isAbove,
        },
      });
      this.options.onStarted?.();
      return { run };
    } catch (error) {
      if (isUnavailable(error) || !(error instanceof PaoError)) throw error;
      const [hint] = (error as PaoError).hints;
      return {
        error: { kind: 'config_error', message: error.message, ...(hint === undefined ? {} : { hint }) },
      };
    }
  }

  /** A task of the same agent; of any agent for one that may do everything. */
  async #find(idOrName: string, agentId: string, scopes: readonly string[]): Promise<Task | null> {
    const { store } = this.options;
    const own = (await store.findTaskByName(agentId, idOrName)) ?? (await store.getTask(idOrName));
    const isAdmin = hasScope(scopes, 'admin');
    if (own !== null) return own.agentId === agentId || isAdmin ? own : null;
    if (!isAdmin) return null;
    const named = await store.findTasksByName(idOrName);
    return named.length === 1 ? (named[0] as Task) : null;
  }

  /** The run that calls, the one that called it, and so on; a replay stands for what it replays. */
  async #callers(caller: Run): Promise<Run[]> {
    const chain: Run[] = [];
    let run: Run | null = caller;
    for (let links = 0; run !== null && links < MAX_CHAIN && chain.length <= MAX_CALL_DEPTH; links++) {
      if (run.trigger !== 'replay') chain.push(run);
      run = run.parentRunId === null ? null : await this.options.store.getRun(run.parentRunId);
    }
    return chain;
  }

  async #conclude(frame: CallFrame, step: StepWrite, run: Run): Promise<CallOutcome> {
    const { id, status, reason } = run;
    const result = { run_id: id, status, reason, output: run.output ?? (await this.#lastOutput(id)) };
    if (status === 'succeeded' || status === 'partial') return this.#done(frame, step, result);
    const why = [reason, run.error?.message].filter(Boolean).join(': ');
    return this.#fail(
      frame,
      { ...step, output: result },
      {
        kind: 'task_failed',
        message: `The task ${run.taskName} ended as ${status}${why === '' ? '' : ` (${why})`}.`,
        hint: `pao run show ${id}`,
      },
    );
  }

  /** A run keeps a small output itself; a large one is with its last step. */
  async #lastOutput(runId: string): Promise<unknown> {
    const steps = await this.options.store.listSteps(runId);
    return steps.findLast(({ status, output }) => status === 'succeeded' && output !== null)?.output ?? null;
  }

  #done(frame: CallFrame, step: StepWrite, output: unknown): CallOutcome {
    const done = frame.state.put({
      ...step,
      status: 'succeeded',
      reason: null,
      finishedAt: this.options.now(),
      output,
    });
    return { type: 'done', output: done.output };
  }

  #fail(frame: CallFrame, step: StepWrite, error: Omit<RunError, 'step'>): CallOutcome {
    const put = frame.state.put({
      ...step,
      status: 'failed',
      reason: error.kind,
      finishedAt: this.options.now(),
      error: { ...error, step: step.stepId },
    });
    return { type: 'failed', reason: error.kind, error: put.error as RunError, exhausted: false };
  }
}
