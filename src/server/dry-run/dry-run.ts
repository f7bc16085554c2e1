import type { Agent } from '../../domain/agent.js';
import type { Clock } from '../../domain/clock.js';
import { newId } from '../../domain/ids.js';
import type { Redactor } from '../../domain/redact.js';
import type { Run, StepRun } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import type { Completion, LeasedRun, Store, StepWrite } from '../store/store.js';
import { silentLogger } from '../telemetry/logger.js';
import { ObservationBuffer } from '../telemetry/observation-buffer.js';
import type { ToolCallContext, ToolResult } from '../tools/caller.js';
import { checkInput } from '../tools/check-input.js';
import { requestTokens } from '../tools/llm-request.js';
import type { SecretSource } from '../tools/secrets.js';
import { callsTask } from '../worker/called-tasks.js';
import { RunExecutor } from '../worker/run-executor.js';
import { ToolCatalog } from '../worker/tool-catalog.js';
import { dryStore } from './dry-store.js';
import { exampleAnswer } from './example-output.js';

/** What a dry run did about a step. */
export type DryAction =
  /** A tool that only reads was called. */
  | 'called'
  /** It would be called; its output is made up from its schema. */
  | 'not_called'
  /** Its output was given by who asked. */
  | 'given'
  /** A message would be handed to delivery. */
  | 'not_delivered'
  /** It would wait: for a time, an event, a person. What comes after goes by the usual outcome. */
  | 'would_wait'
  /** It needs what a step gives that was not called. */
  | 'not_shown'
  /** A foreach over what a step gives that was not called: its items are not known. */
  | 'not_followed'
  | 'skipped'
  | 'failed'
  | 'gathered';

export interface DryStep extends StepRun {
  action: DryAction;
}

export interface DryRunRequest {
  task: Task;
  agent: Agent;
  params: Record<string, unknown>;
  /** What steps give, by their id, in place of calling them. */
  outputs: Readonly<Record<string, unknown>>;
  signal: AbortSignal;
}

export interface DryRunServices {
  store: Store;
  clock: Clock;
  redactor: Redactor;
  secrets: Pick<SecretSource, 'resolve'>;
  builtinTools: readonly Tool[];
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
}

/** Waits and failed steps a dry run steps over before it ends; a pipeline has at most 100 steps, 1000 items in each. */
const MAX_ROUNDS = 2000;

/**
 * Runs a task as a worker would, with the same code, and leaves no trace: only tools that read are called, and no model is
 * asked (it costs); what else would happen is shown with its rendered input. Secrets are hidden as in a run.
 */
export async function dryRun(
  request: DryRunRequest,
  services: DryRunServices,
): Promise<{ run: Run; steps: DryStep[] }> {
  const { clock } = services;
  const steps = new Map<string, StepWrite>();
  const actions = new Map<string, DryAction>();
  const keep = (written: readonly StepWrite[]) => {
    for (const step of written) steps.set(step.stepId, step);
  };
  const executor = executorFor(request, services, keep, actions);
  await executor.prepare();
  const run = aRun(request, clock.now());
  let completion: Completion | null = null;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const leased = asLeased(run, request, [...steps.values()]);
    completion = await executor.execute(leased, request.signal, new ObservationBuffer(() => {}));
    if (completion === null) break;
    keep(completion.steps);
    if (!stepOver(completion, request.task, steps, actions, clock.now())) break;
  }
  const ended: Run = {
    ...run,
    status: completion?.status ?? 'canceled',
    reason: completion?.reason ?? null,
    error: completion?.error ?? null,
    output: completion?.output ?? null,
    finishedAt: clock.now(),
  };
  const shown = [...steps.values()]
    .sort((a, b) => a.position - b.position)
    .map((step) => ({ ...step, runId: run.id, action: actions.get(step.stepId) ?? actionOf(step) }));
  return { run: ended, steps: shown };
}

function executorFor(
  { outputs }: DryRunRequest,
  services: DryRunServices,
  keep: (steps: readonly StepWrite[]) => void,
  actions: Map<string, DryAction>,
): RunExecutor {
  const { clock } = services;
  const store = dryStore(services.store, keep);
  const monotonic = () => clock.monotonic();
  const catalog = new ToolCatalog({
    store,
    // A task that is called is a call like any other here: it is not made.
    builtin: services.builtinTools.map((tool) => (callsTask(tool) ? { ...tool, kind: 'http' } : tool)),
    monotonic,
  });
  return new RunExecutor({
    store,
    clock,
    logger: silentLogger,
    catalog,
    redactor: services.redactor,
    secrets: services.secrets,
    random: () => 0.5,
    async callTool(tool, input, context) {
      const id = context.stepId as string;
      const owner = id.replace(/\[\d+\]$/, '');
      checkInput(tool, input);
      if (Object.hasOwn(outputs, owner)) {
        actions.set(id, 'given');
        return { output: structuredClone(outputs[owner]), durationMs: 0 };
      }
      if (tool.side_effect !== 'read' || tool.kind === 'llm') {
        actions.set(id, 'not_called');
        return { output: exampleAnswer(tool, input), durationMs: 0, ...usageOf(tool, input) };
      }
      actions.set(id, 'called');
      return services.callTool(tool, input, context);
    },
  });
}

/** The most that asking a model would use. */
function usageOf(tool: Tool, input: unknown): Pick<ToolResult, 'usage'> {
  if (tool.llm === undefined) return {};
  const { inputTokens, outputTokens } = requestTokens(tool.llm, (input ?? {}) as Record<string, unknown>);
  return { usage: { input_tokens: inputTokens, output_tokens: outputTokens, estimated: true } };
}

/**
 * Goes past what holds a run up: a wait ends, a person says yes, a retry is not waited for, and a step that needs what was
 * not called is left out. @returns whether there is more to see.
 */
function stepOver(
  { status, error }: Completion,
  task: Task,
  steps: Map<string, StepWrite>,
  actions: Map<string, DryAction>,
  now: number,
): boolean {
  if (status === 'waiting' || status === 'queued') {
    for (const step of steps.values()) {
      if (step.status !== 'waiting') continue;
      const { reason, stepId } = step;
      if (reason === 'approval') pass(step, 'would_wait', approved(step));
      else if (reason === 'event') pass(step, 'would_wait', { event: null });
      else if (reason === 'wait') pass(step, 'would_wait', step.output);
      else steps.set(stepId, { ...step, status: 'failed', finishedAt: now });
    }
    return true;
  }
  const failed = error?.step === undefined ? undefined : steps.get(error.step);
  const isMadeUp = [...actions.values()].includes('not_called');
  if (status !== 'failed' || error?.kind !== 'template' || failed === undefined || !isMadeUp) return false;
  if (actions.has(failed.stepId)) return false;
  pass(failed, isForeach(task, failed.stepId) ? 'not_followed' : 'not_shown', null);
  return true;

  function pass(step: StepWrite, action: DryAction, output: unknown): void {
    actions.set(step.stepId, action);
    steps.set(step.stepId, { ...step, status: 'succeeded', finishedAt: now, output });
  }
}

/** Whether a step is one that repeats itself; one of its items is not. */
function isForeach({ spec }: Task, stepId: string): boolean {
  const all = spec.pipeline.flatMap((step) => [step, ...('parallel' in step ? (step.parallel ?? []) : [])]);
  return all.some((step) => step.id === stepId && 'foreach' in step && step.foreach !== undefined);
}

function approved(step: StepWrite) {
  const { data = null } = (step.input ?? {}) as { data?: unknown };
  return { decision: 'approved', data, by: 'dry run', comment: null, approval_id: null };
}

function actionOf(step: StepWrite): DryAction {
  if (step.status === 'skipped') return 'skipped';
  if (step.status === 'failed') return 'failed';
  if ((step.output as { delivery_id?: unknown } | null)?.delivery_id !== undefined) return 'not_delivered';
  return 'gathered';
}

function aRun({ task, params }: DryRunRequest, now: number): Run {
  return {
    id: newId('run', now),
    taskId: task.id,
    taskName: task.name,
    taskVersion: task.version,
    agentId: task.agentId,
    status: 'running',
    reason: null,
    trigger: 'manual',
    scheduledFor: now,
    createdAt: now,
    runAt: now,
    startedAt: now,
    finishedAt: null,
    attempt: 1,
    deaths: 0,
    priority: task.spec.priority,
    params,
    eventId: null,
    parentRunId: null,
    dedupeKey: null,
    output: null,
    error: null,
    traceId: null,
    workerId: null,
  };
}

function asLeased(run: Run, { task, agent }: DryRunRequest, steps: StepWrite[]): LeasedRun {
  return {
    run,
    leaseToken: 1,
    leaseExpiresAt: Number.MAX_SAFE_INTEGER,
    spec: task.spec,
    taskScopes: task.scopes,
    agentScopes: agent.scopes,
    agentDisabled: agent.disabledAt !== null,
    steps: steps.map((step) => ({ ...step, runId: run.id })),
    cancelRequested: false,
    memory: task.memory,
    agentBudget: agent.budget,
  };
}
