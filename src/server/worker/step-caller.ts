import { mayUseTool } from '../../domain/agent.js';
import { renderTemplate } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import { SPAN, spanIdFor, traceIdOf, traceparentOf, traceStateOf } from '../../domain/observability/trace.js';
import type { RunError } from '../../domain/run.js';
import { parseDuration } from '../../domain/duration.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Tool } from '../../domain/tool.js';
import type { StepWrite } from '../store/store.js';
import type { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { Tracer } from '../telemetry/tracing.js';
import type { CallBudget, ToolCallContext, ToolResult } from '../tools/caller.js';
import type { SecretSource } from '../tools/secrets.js';
import { newSecretMark, secretPlace } from '../deliver/message-secrets.js';
import { type CalledTasks, callsTask } from './called-tasks.js';
import { insistently, STOPPED } from './insistently.js';
import type { PlannedStep } from './plan.js';
import type { MessageWriter } from './message-writer.js';
import { retryDelay } from './retry.js';
import type { RunState } from './run-state.js';

/** How one call of a tool, with all that belongs to it, ended. */
export type CallOutcome =
  | { type: 'done'; output: unknown }
  | { type: 'skipped'; reason: string; output: unknown }
  /** It will be tried again, or looked at again, at `runAt`. */
  | { type: 'later'; status: 'queued' | 'waiting'; runAt: number; reason: string; error: RunError | null }
  /** It failed for good. `exhausted`: only because its retries are used up. `skipped`: it was never done (budget). */
  | { type: 'failed'; reason: string; error: RunError; exhausted: boolean; skipped?: boolean }
  /** It went out and its outcome was lost. */
  | { type: 'unknown'; error: RunError }
  /** Nobody answered in time, and then (`on_timeout: skip`) nothing of what comes after is done. */
  | { type: 'unanswered' }
  /** The run ends or moves elsewhere: canceled, interrupted, lease lost, run timeout. */
  | { type: 'stopped'; cause: StopCause };

export type StopCause = 'canceled' | 'interrupted' | 'lease_lost' | 'timeout';

export interface StepCallerOptions {
  findTool: (address: string) => Tool | null;
  /** Looks again for a tool that was not there. */
  findNewTool: (address: string) => Promise<Tool | null>;
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  secrets: Pick<SecretSource, 'resolve'>;
  messages: MessageWriter;
  calledTasks: CalledTasks;
  now: () => number;
  random: () => number;
  tracer?: Tracer | null;
}

/** What a call is made within. */
export interface CallFrame {
  state: RunState;
  scope: { values: Record<string, unknown>; zone: string };
  /** What the run may do: its task's scopes then, met with its agent's now. */
  scopes: readonly string[];
  signal: AbortSignal;
  /** When the run's own time is up, monotonic milliseconds. */
  deadline: number;
  monotonic: () => number;
  observations: ObservationBuffer;
  /** Name of the agent the run belongs to; limits which secrets it may use. */
  agent: string;
  /** What pays for a step's calls; null: nothing is counted. */
  budgetFor: ((stepId: string) => CallBudget) | null;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** How long to wait for another run that is sending under the same key, milliseconds. */
const HELD_RETRY_MS = 1000;

/** Makes one step's call: renders, checks, reserves, calls, records, decides about a retry. */
export class StepCaller {
  constructor(private readonly options: StepCallerOptions) {}

  /** @param stepId id of the record: the step's own, or `id[index]` for an item of a `foreach`. */
  async call(planned: PlannedStep, stepId: string, frame: CallFrame): Promise<CallOutcome> {
    const { state } = frame;
    const before = state.get(stepId);
    const settled = before === undefined ? null : outcomeOf(before);
    if (settled !== null) return settled;
    const address = planned.tool as string;
    const record = before ?? state.begin(stepId, planned.position, address);
    const tool = this.options.findTool(address) ?? (await this.options.findNewTool(address));
    if (tool === null) {
      return this.#fail(
        frame,
        record,
        'config_error',
        `There is no tool ${address} in the catalog.`,
        `pao tool list`,
      );
    }
    if (before !== undefined && before.output !== null && callsTask(tool))
      return this.#call(() => this.options.calledTasks.look(before, frame), frame);
    if (before?.status === 'running' && tool.side_effect === 'once') {
      return this.#unknown(
        frame,
        record,
        'The worker died while this call was under way; it may have taken effect.',
      );
    }
    if (!mayUseTool(frame.scopes, address)) {
      return this.#fail(
        frame,
        record,
        'forbidden',
        `The task's agent may not call ${address}.`,
        `Scope tool:${address} is missing.`,
      );
    }
    let prepared: Prepared;
    try {
      prepared = await this.#prepare(planned, stepId, frame, tool);
    } catch (error) {
      if (error instanceof TemplateError)
        return this.#fail(
          frame,
          record,
          'template',
          error.message,
          error.hints[0],
          error.problems[0]?.pointer,
        );
      if (error instanceof ToolError) return this.#fail(frame, record, error.kind, error.message);
      throw error;
    }
    if (planned.isMessage) return this.#say(planned, record, tool, prepared, frame);
    let begun: StepWrite = {
      ...record,
      status: 'running',
      reason: null,
      error: null,
      startedAt: record.startedAt ?? this.options.now(),
      attempts: record.attempts + 1,
      input: prepared.recorded,
      idempotencyKey: prepared.key,
    };
    if (callsTask(tool)) begun = this.options.calledTasks.announce(begun, planned);
    const written = await this.#announce(begun, tool, frame, prepared.key);
    if (written !== null) return written;
    if (callsTask(tool)) return this.#call(() => this.options.calledTasks.look(begun, frame), frame);
    return this.#make(begun, tool, prepared, planned, frame);
  }

  async #say(
    planned: PlannedStep,
    record: StepWrite,
    tool: Tool,
    prepared: Prepared,
    frame: CallFrame,
  ): Promise<CallOutcome> {
    try {
      return await this.options.messages.write(planned, record, tool, prepared, frame);
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      return this.#fail(frame, record, error.kind, error.message, undefined, error.pointer);
    }
  }

  /** A look at a task that was called; a store that can not be asked is asked again until it can. */
  async #call(look: () => Promise<CallOutcome>, frame: CallFrame): Promise<CallOutcome> {
    const outcome = await insistently(look, frame.signal);
    return outcome === STOPPED ? { type: 'stopped', cause: stopCause(frame.signal) } : outcome;
  }

  async #prepare(planned: PlannedStep, stepId: string, frame: CallFrame, tool: Tool): Promise<Prepared> {
    const template = planned.input;
    const { run } = frame.state.leased;
    const names = template?.secrets ?? [];
    const values = new Map<string, string>();
    for (const name of names) {
      if (!frame.scopes.includes('admin') && !frame.scopes.includes(`secrets:use:${name}`)) {
        throw new ToolError(
          'auth',
          `The task's agent may not use secret ${name}: scope secrets:use:${name} is missing.`,
        );
      }
      values.set(name, await this.options.secrets.resolve(name, { tool: tool.address, agent: frame.agent }));
    }
    const pointer = `/pipeline/${planned.position}/with`;
    // A message is kept until it is sent: the secrets are put in then.
    const mark = planned.isMessage && names.length > 0 ? newSecretMark() : null;
    const secret = (name: string) => (mark === null ? (values.get(name) ?? '') : secretPlace(mark, name));
    const input = template === null ? {} : renderTemplate(template, frame.scope, { secret, pointer }).value;
    const recorded =
      names.length === 0
        ? input
        : renderTemplate(template, frame.scope, { redactSecrets: true, pointer }).value;
    const own =
      planned.idempotencyKey === null
        ? null
        : renderTemplate(planned.idempotencyKey, frame.scope, { pointer }).value;
    // Two steps with the same key template are two sends: the key is the step's own, over all runs of the task.
    const key = own === null ? null : `${run.taskId}/${stepId}/${String(own)}`;
    return { input, recorded, key, mark, names: [...names] };
  }

  /** Records that the call goes out, where a crash in the middle must be seen afterwards. */
  async #announce(
    begun: StepWrite,
    tool: Tool,
    frame: CallFrame,
    key: string | null,
  ): Promise<CallOutcome | null> {
    const { state } = frame;
    if (key === null && tool.side_effect === 'read') {
      // What came before is written before the next call outside; a pure function of ours needs nothing.
      if (tool.kind === 'builtin' || !state.hasUnwritten) return null;
      const written = await state.write();
      if (written === 'stopped') return { type: 'stopped', cause: stopCause(frame.signal) };
      return written === 'fenced' ? lostLease(frame) : null;
    }
    state.put(begun);
    const written = await state.write(key === null ? undefined : { key, stepId: begun.stepId });
    if (written === 'ok') return null;
    if (written === 'fenced') return lostLease(frame);
    if (written === 'stopped') {
      // The call was never made.
      const cause = stopCause(frame.signal);
      const status = cause === 'interrupted' ? 'waiting' : 'skipped';
      state.put({ ...begun, status, reason: cause, attempts: begun.attempts - 1 });
      return { type: 'stopped', cause };
    }
    const { holder } = written;
    if (holder.status === 'running' || holder.status === 'waiting') {
      // Nothing was called yet, whatever was announced.
      state.put({
        ...begun,
        status: 'waiting',
        reason: 'dedupe',
        attempts: begun.attempts - 1,
        output: null,
      });
      return {
        type: 'later',
        status: 'waiting',
        runAt: this.options.now() + HELD_RETRY_MS,
        reason: 'dedupe',
        error: null,
      };
    }
    state.put({
      ...begun,
      status: 'skipped',
      reason: 'dedupe',
      attempts: begun.attempts - 1,
      finishedAt: this.options.now(),
      output: holder.output,
    });
    return { type: 'skipped', reason: 'dedupe', output: holder.output };
  }

  async #make(
    begun: StepWrite,
    tool: Tool,
    prepared: Prepared,
    planned: PlannedStep,
    frame: CallFrame,
  ): Promise<CallOutcome> {
    const { run } = frame.state.leased;
    const tracestate = traceStateOf(run);
    const left = frame.deadline - frame.monotonic();
    const own =
      planned.timeoutMs ?? (tool.timeout === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(tool.timeout));
    const timeoutMs = Math.max(1, Math.min(own, left));
    const began = frame.monotonic();
    try {
      const result = await this.options.callTool(tool, prepared.input, {
        signal: frame.signal,
        timeoutMs,
        idempotencyKey: prepared.key ?? `${run.id}.${begun.stepId}`,
        traceparent: traceparentOf(
          traceIdOf(run),
          spanIdFor(run.id, SPAN.call(begun.stepId, begun.attempts)),
        ),
        ...(tracestate === null ? {} : { tracestate }),
        runId: run.id,
        stepId: begun.stepId,
        attempt: begun.attempts,
        timezone: frame.scope.zone,
        agent: frame.agent,
        ...(frame.budgetFor === null ? {} : { budget: frame.budgetFor(begun.stepId) }),
      });
      const seconds = (frame.monotonic() - began) / 1000;
      this.#trace(begun, tool, frame, seconds, null);
      frame.observations.add('step_success_total', { tool: tool.address });
      frame.observations.observe('step_duration_seconds', { outcome: 'success' }, seconds);
      const done = frame.state.put({
        ...begun,
        status: 'succeeded',
        finishedAt: this.options.now(),
        output: result.output ?? null,
        usage: result.usage === undefined ? null : usageOf(result.usage),
      });
      return { type: 'done', output: done.output };
    } catch (error) {
      if (!(error instanceof ToolError)) throw error;
      const seconds = (frame.monotonic() - began) / 1000;
      this.#trace(begun, tool, frame, seconds, error);
      return this.#failed(begun, tool, error, planned, frame, seconds);
    }
  }

  /** One span for the step and, when it left the process, one for the call, as OpenTelemetry names them for agents. */
  #trace(begun: StepWrite, tool: Tool, frame: CallFrame, seconds: number, error: ToolError | null): void {
    const { tracer } = this.options;
    if (tracer === undefined || tracer === null) return;
    const { run, leaseToken } = frame.state.leased;
    const end = this.options.now();
    const step = spanIdFor(run.id, SPAN.step(begun.stepId, begun.attempts));
    const common = {
      traceId: traceIdOf(run),
      traceState: traceStateOf(run),
      start: end - seconds * 1000,
      end,
      ...(error === null ? {} : { error: error.message }),
    };
    const attributes = {
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool.address,
      'pao.run.id': run.id,
      'pao.step.id': begun.stepId,
      'pao.step.attempt': begun.attempts,
      ...(error === null ? {} : { 'error.type': error.kind }),
    };
    tracer.span({
      ...common,
      name: `execute_tool ${tool.address}`,
      kind: 'internal',
      spanId: step,
      parentSpanId: spanIdFor(run.id, SPAN.run(leaseToken)),
      attributes,
    });
    if (tool.kind === 'builtin') return;
    tracer.span({
      ...common,
      name: tool.kind === 'mcp' ? `tools/call ${tool.mcp?.tool ?? tool.address}` : `call ${tool.address}`,
      kind: 'client',
      spanId: spanIdFor(run.id, SPAN.call(begun.stepId, begun.attempts)),
      parentSpanId: step,
      attributes: tool.kind === 'mcp' ? { ...attributes, 'mcp.method.name': 'tools/call' } : attributes,
    });
  }

  #failed(
    begun: StepWrite,
    tool: Tool,
    error: ToolError,
    planned: PlannedStep,
    frame: CallFrame,
    seconds: number,
  ): CallOutcome {
    const sent = !error.outcomeKnown && tool.side_effect === 'once';
    const usage = error.usage === undefined ? null : usageOf(error.usage);
    const record = { ...begun, usage };
    if (frame.signal.aborted) {
      const cause = stopCause(frame.signal);
      if (cause === 'lease_lost') return { type: 'stopped', cause };
      if (sent)
        return this.#unknown(frame, record, `The call was cut off (${cause}) and may have taken effect.`);
      if (cause === 'interrupted') {
        frame.state.put({
          ...record,
          status: 'waiting',
          reason: 'interrupted',
          attempts: begun.attempts - 1,
        });
      } else {
        frame.state.put({
          ...record,
          status: 'failed',
          reason: cause,
          finishedAt: this.options.now(),
          error: toError(error, begun),
        });
      }
      return { type: 'stopped', cause };
    }
    if (sent) return this.#unknown(frame, record, error.message);
    if (error.kind === 'budget') return this.#overBudget(frame, record, error);
    const runTimeIsUp = frame.deadline - frame.monotonic() <= 0;
    if (error.retryable && !runTimeIsUp && begun.attempts <= planned.retry.max) {
      const delay = retryDelay(planned.retry, begun.attempts, this.options.random(), error.retryAfterMs);
      if (delay !== null) {
        const runError = toError(error, begun);
        frame.state.put({ ...record, status: 'waiting', reason: error.kind, error: runError });
        frame.observations.add('step_retries_total', {
          tool: tool.address,
          reason: failureReason(error.kind),
        });
        return {
          type: 'later',
          status: 'queued',
          runAt: this.options.now() + delay,
          reason: error.kind,
          error: runError,
        };
      }
    }
    frame.observations.observe('step_duration_seconds', { outcome: 'failure' }, seconds);
    const outcome = this.#fail(
      frame,
      record,
      runTimeIsUp ? 'timeout' : error.kind,
      error.message,
      undefined,
      error.pointer,
    );
    if (outcome.type === 'failed') outcome.exhausted = error.retryable && error.retryAfterMs === undefined;
    return outcome;
  }

  /** Nothing was sent: the step is skipped, unless an attempt before this one went out and failed. */
  #overBudget(frame: CallFrame, record: StepWrite, error: ToolError): CallOutcome {
    const attempts = record.attempts - 1;
    if (attempts > 0)
      return this.#fail(frame, { ...record, attempts }, 'budget', error.message, budgetHint(frame));
    const runError = { ...toError(error, record), hint: budgetHint(frame) };
    const put = frame.state.put({
      ...record,
      attempts,
      status: 'skipped',
      reason: 'budget',
      finishedAt: this.options.now(),
      error: runError,
    });
    return {
      type: 'failed',
      reason: 'budget',
      error: put.error ?? runError,
      exhausted: false,
      skipped: true,
    };
  }

  #fail(
    frame: CallFrame,
    record: StepWrite,
    kind: string,
    message: string,
    hint?: string,
    pointer?: string,
  ): CallOutcome {
    const error: RunError = {
      kind,
      message,
      step: record.stepId,
      ...(pointer === undefined ? {} : { pointer }),
      ...(hint === undefined ? {} : { hint }),
    };
    const now = this.options.now();
    const put = frame.state.put({
      ...record,
      status: 'failed',
      reason: kind,
      startedAt: record.startedAt ?? now,
      finishedAt: now,
      error,
    });
    frame.observations.add('step_failure_total', { tool: record.tool ?? '', reason: failureReason(kind) });
    return { type: 'failed', reason: kind, error: put.error ?? error, exhausted: false };
  }

  #unknown(frame: CallFrame, record: StepWrite, message: string): CallOutcome {
    const error: RunError = {
      kind: 'unknown_outcome',
      message,
      step: record.stepId,
      hint: `It is not done again on its own. Look at the other side, then pao run resolve ${frame.state.leased.run.id} ${record.stepId} --done or --not-done`,
    };
    const put = frame.state.put({
      ...record,
      status: 'unknown',
      reason: 'unknown_outcome',
      finishedAt: this.options.now(),
      error,
    });
    frame.observations.add('step_failure_total', { tool: record.tool ?? '', reason: 'tool_error' });
    return { type: 'unknown', error: put.error ?? error };
  }
}

export interface Prepared {
  input: unknown;
  recorded: unknown;
  key: string | null;
  /** What stands around the names of secrets in `input`; null when they are filled in, or there are none. */
  mark: string | null;
  /** The secrets in it. */
  names: string[];
}

/** What an earlier attempt recorded and what stands. */
export function outcomeOf(step: StepWrite): CallOutcome | null {
  if (step.status === 'succeeded') return { type: 'done', output: step.output };
  if (step.status === 'skipped' && step.reason === 'expired') return { type: 'unanswered' };
  if (step.status === 'skipped' && step.reason !== 'budget')
    return { type: 'skipped', reason: step.reason ?? 'condition', output: step.output };
  const error = step.error ?? {
    kind: step.reason ?? 'failed',
    message: 'failed in an earlier attempt',
    step: step.stepId,
  };
  if (step.status === 'skipped')
    return { type: 'failed', reason: 'budget', error, exhausted: false, skipped: true };
  if (step.status === 'failed')
    return { type: 'failed', reason: step.reason ?? 'failed', error, exhausted: false };
  if (step.status === 'unknown') return { type: 'unknown', error };
  return null;
}

/** Why a run's signal was aborted. */
export function stopCause(signal: AbortSignal): StopCause {
  const reason: unknown = signal.reason;
  return reason === 'interrupted' || reason === 'lease_lost' || reason === 'timeout' ? reason : 'canceled';
}

const toError = (error: ToolError, step: StepWrite): RunError => ({
  kind: error.kind,
  message: error.message,
  step: step.stepId,
  ...(error.pointer === undefined ? {} : { pointer: error.pointer }),
});

const usageOf = (usage: NonNullable<ToolResult['usage']>) => ({
  inputTokens: usage.input_tokens,
  outputTokens: usage.output_tokens,
  ...(usage.estimated === true ? { estimated: true } : {}),
});

const budgetHint = ({ state }: CallFrame) => `pao task show ${state.leased.run.taskName}`;

/** A write was refused: the run is another worker's now. */
export function lostLease({ observations }: CallFrame): CallOutcome {
  observations.add('fencing_rejections_total', { operation: 'record' });
  observations.add('lease_renewals_total', { outcome: 'lost' });
  return { type: 'stopped', cause: 'lease_lost' };
}

/** The closed list of reasons of the metric catalogue. */
function failureReason(kind: string): string {
  if (kind === 'timeout' || kind === 'template' || kind === 'canceled') return kind;
  if (kind === 'invalid_input' || kind === 'invalid_output') return 'schema';
  return kind === 'forbidden' || kind === 'blocked' || kind === 'auth' ? 'policy' : 'tool_error';
}
