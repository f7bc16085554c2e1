import { intersectScopes } from '../../domain/agent.js';
import type { Clock } from '../../domain/clock.js';
import { parseDuration } from '../../domain/duration.js';
import { runScope } from '../../domain/pipeline/scope.js';
import { evaluateCondition, evaluateExpression, renderTemplate } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import type { Redactor } from '../../domain/redact.js';
import type { RunError } from '../../domain/run.js';
import { ToolError } from '../../domain/tool-error.js';
import type { Budgets, Payer } from '../budget/budgets.js';
import type { Completion, LeasedRun, Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import type { ObservationBuffer } from '../telemetry/observation-buffer.js';
import { CalledTasks } from './called-tasks.js';
import type { AskSettings } from './ask-by-message.js';
import { ChangeGate, whatWasSeen } from './change-gate.js';
import { onVacation, quietTimesOf } from '../../domain/quiet-times.js';
import { readAgentQuiet } from '../deliver/agent-quiet.js';
import { MessageWriter } from './message-writer.js';
import { insistently, STOPPED } from './insistently.js';
import { observe } from './observe-condition.js';
import { CHECK_STEP_ID, type Plan, PlanCache, type PlannedStep } from './plan.js';
import { RunState } from './run-state.js';
import {
  type CallFrame,
  type CallOutcome,
  lostLease,
  outcomeOf,
  StepCaller,
  type StepCallerOptions,
  stopCause,
} from './step-caller.js';
import type { ToolCatalog } from './tool-catalog.js';
import { WaitingSteps } from './waiting-steps.js';

export interface RunExecutorOptions
  extends Omit<StepCallerOptions, 'findTool' | 'findNewTool' | 'now' | 'messages' | 'calledTasks'> {
  /** Told when a step started a run of another task. */
  onRunStarted?: () => void;
  store: Store;
  clock: Clock;
  logger: Logger;
  catalog: ToolCatalog;
  redactor: Redactor;
  /** Decides what may be paid for; without it nothing is counted. */
  budgets?: Budgets;
  /** A message was put into the outbox. */
  onMessage?: () => void;
  /** A budget leaves this run out, in these words. */
  onLeftOut?: (run: LeasedRun['run'], words: string) => Promise<void>;
  /** How people are asked for approvals. */
  ask?: AskSettings;
}

/** How a pipeline ended in this attempt. */
type Ending = Pick<Completion, 'status' | 'reason' | 'error'> & { runAt?: number; interrupted?: boolean };

/** Executes leased runs: step after step, resuming at the first unfinished one. */
export class RunExecutor {
  readonly #plans = new PlanCache();
  readonly #caller: StepCaller;
  readonly #waiting: WaitingSteps;
  readonly #gate: ChangeGate;

  constructor(private readonly options: RunExecutorOptions) {
    this.#waiting = new WaitingSteps({
      store: options.store,
      now: () => options.clock.now(),
      ask: options.ask,
    });
    this.#gate = new ChangeGate(options);
    this.#caller = new StepCaller({
      ...options,
      messages: new MessageWriter({
        store: options.store,
        now: () => options.clock.now(),
        redactor: options.redactor,
        onMessage: options.onMessage ?? (() => {}),
      }),
      now: () => options.clock.now(),
      calledTasks: new CalledTasks({
        store: options.store,
        now: () => options.clock.now(),
        ...(options.onRunStarted === undefined ? {} : { onStarted: options.onRunStarted }),
      }),
      findTool: (address) => options.catalog.find(address),
      findNewTool: (address) => options.catalog.findNew(address),
    });
  }

  /** Brings what is cached up to date; called once for each batch of runs. */
  prepare(): Promise<void> {
    return this.options.catalog.refresh();
  }

  /** @returns how the attempt ended, or null when its lease was lost on the way. */
  async execute(
    leased: LeasedRun,
    signal: AbortSignal,
    observations: ObservationBuffer,
  ): Promise<Completion | null> {
    const { clock, store, redactor } = this.options;
    const state = new RunState(leased, {
      store,
      redactor,
      now: () => clock.now(),
      signal,
      onRedacted: () => observations.add('secret_redactions_total', { sink: 'run' }),
    });
    let memory: Completion['memory'];
    let ending: Ending | null;
    try {
      const plan = this.#plans.get(leased.run.taskId, leased.run.taskVersion, leased.spec);
      const run = await this.#runPlan(plan, leased, state, signal, observations);
      ending = run.ending;
      memory = run.memory;
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      ending = failed({ kind: 'template', message: error.message, pointer: error.pointer });
    }
    if (ending === null) return null;
    if (ending.status === 'skipped' && ending.reason === 'budget')
      await this.options.onLeftOut?.(leased.run, ending.error?.message ?? 'the budget did not reach');
    const final = ending.status !== 'queued' && ending.status !== 'waiting';
    const stepMemory = whatWasSeen(ending.status, state);
    return {
      runId: leased.run.id,
      leaseToken: leased.leaseToken,
      steps: state.takeUnwritten(),
      ...(ending.status === 'waiting' ? state.takeWaits() : {}),
      output: final ? bounded(state.lastOutput) : null,
      finishedAt: clock.now(),
      ...ending,
      // A run that comes back looks at what it observed again: it must find the memory as it was.
      ...(memory === undefined || !final ? {} : { memory }),
      ...(stepMemory === undefined ? {} : { stepMemory }),
    };
  }

  async #runPlan(
    plan: Plan,
    leased: LeasedRun,
    state: RunState,
    signal: AbortSignal,
    observations: ObservationBuffer,
  ): Promise<{ ending: Ending | null; memory?: Completion['memory'] }> {
    const { clock } = this.options;
    if (leased.agentDisabled)
      return { ending: failed({ kind: 'forbidden', message: 'The agent of this task was deleted.' }) };
    if (signal.aborted) return { ending: stopped(stopCause(signal)) };
    if (leased.spec.on_vacation === 'skip' && leased.steps.length === 0) {
      const away = await insistently(() => this.#isAway(leased), signal);
      if (away === STOPPED) return { ending: stopped(stopCause(signal)) };
      if (away) return { ending: { status: 'skipped', reason: 'vacation', error: null } };
    }
    const payer = payerOf(leased);
    const patiently = <T>(ask: () => Promise<T>) => untilStopped(ask, signal);
    const { budgets } = this.options;
    const begin = async (): Promise<Ending | null | undefined> => {
      try {
        await budgets?.beginRun(payer, patiently);
        return undefined;
      } catch (error) {
        if (!(error instanceof ToolError)) throw error;
        return error.kind === 'budget' ? notPaidFor(error, leased) : stopped(stopCause(signal));
      }
    };
    // A look is no run yet: it counts when it triggers, or a condition would soon see nothing any more.
    const check = leased.run.trigger === 'condition' ? plan.check : null;
    const refused = check === null ? await begin() : undefined;
    if (refused !== undefined) return { ending: refused };
    const { agentId } = leased.run;
    const event = await insistently(() => this.#eventOf(leased), signal);
    const agent = await insistently(() => this.#agentName(agentId), signal);
    if (event === STOPPED || agent === STOPPED) return { ending: stopped(stopCause(signal)) };
    const scope: CallFrame['scope'] = runScope({
      task: { id: leased.run.taskId, name: leased.spec.name, title: leased.spec.title ?? null },
      run: leased.run,
      params: { ...leased.spec.params, ...leased.run.params },
      event,
      zone: plan.zone,
    });
    // The outputs are the state's own object: what a step leaves there is seen by the next one.
    scope.values['steps'] = state.outputs;
    const frame: CallFrame = {
      state,
      scope,
      scopes: intersectScopes(leased.taskScopes, leased.agentScopes),
      signal,
      deadline: clock.monotonic() + plan.timeoutMs,
      monotonic: () => clock.monotonic(),
      observations,
      agent,
      budgetFor: budgets === undefined ? null : (stepId) => budgets.forCalls(payer, stepId, patiently),
    };
    if (check !== null) {
      const verdict = await this.#observeCondition(check, leased, frame);
      if (verdict.ending !== undefined) return { ending: verdict.ending, memory: verdict.memory };
      // What triggered but may not run is not remembered: it triggers again while it holds, and runs when the budget lets it.
      const notPaid = await begin();
      if (notPaid !== undefined) return { ending: notPaid };
      return { ending: await this.#runSteps(plan.steps, frame), memory: verdict.memory };
    }
    return { ending: await this.#runSteps(plan.steps, frame) };
  }

  /** What `event` is in expressions. */
  async #eventOf({ run, spec }: LeasedRun): Promise<Record<string, unknown> | null> {
    const { store } = this.options;
    const { schedule } = spec;
    const isTogether =
      schedule?.kind === 'event' &&
      (schedule.debounce ?? schedule.batch ?? schedule.absent) !== undefined &&
      run.trigger !== 'manual';
    const together = isTogether ? await store.getRunEvents(run.id) : null;
    if (together === null) {
      const event = run.eventId === null ? null : await store.getEvent(run.eventId);
      return event === null ? null : { id: event.id, topic: event.topic, payload: event.payload };
    }
    const items = together.events.map(({ id, topic, payload, createdAt }) => ({
      id,
      topic,
      payload,
      at: new Date(createdAt).toISOString(),
    }));
    const { id = null, topic = null, payload = null } = items.at(-1) ?? {};
    const event = { id, topic, payload, count: together.count, items };
    if (schedule?.kind !== 'event' || schedule.absent === undefined) return event;
    const { topic: missing, within } = schedule.absent;
    const until = run.scheduledFor;
    const since = new Date(until - parseDuration(within)).toISOString();
    return { ...event, absent: { topic: missing, since, until: new Date(until).toISOString() } };
  }

  readonly #agentNames = new Map<string, string>();

  /** Names of agents never change, so each is read once. */
  async #agentName(id: string): Promise<string> {
    const known = this.#agentNames.get(id);
    if (known !== undefined) return known;
    const name = (await this.options.store.getAgent(id))?.name ?? id;
    this.#agentNames.set(id, name);
    return name;
  }

  /** Whether an occurrence came due on a vacation. What a person asked for is done all the same. */
  async #isAway({ run, spec }: LeasedRun): Promise<boolean> {
    if (run.trigger === 'manual' || run.trigger === 'replay') return false;
    const agent = await readAgentQuiet(this.options.store, run.agentId);
    return onVacation(quietTimesOf(spec, agent), run.scheduledFor);
  }

  async #observeCondition(
    check: PlannedStep,
    leased: LeasedRun,
    frame: CallFrame,
  ): Promise<{ ending?: Ending | null; memory?: Completion['memory'] }> {
    const { schedule } = leased.spec;
    if (schedule?.kind !== 'condition') return {};
    const outcome = await this.#caller.call(check, CHECK_STEP_ID, frame);
    if (outcome.type !== 'done') return { ending: endOf(outcome) };
    frame.state.outputs[CHECK_STEP_ID] = outcome.output;
    const { triggered, memory } = observe(schedule, outcome.output, leased.memory, leased.run.scheduledFor);
    if (triggered) return { memory };
    return { ending: { status: 'skipped', reason: 'condition', error: null }, memory };
  }

  async #runSteps(steps: PlannedStep[], frame: CallFrame): Promise<Ending | null> {
    for (const [index, planned] of steps.entries()) {
      if (frame.signal.aborted) return stopped(stopCause(frame.signal));
      if (frame.deadline - frame.monotonic() <= 0) {
        return failed({
          kind: 'timeout',
          message: 'The task ran longer than its timeout.',
          step: planned.step.id,
        });
      }
      const ending = await this.#runStep(planned, frame);
      if (ending === undefined) continue;
      if (ending === null || !isUnanswered(ending)) return ending;
      for (const one of steps.slice(index + 1).flatMap((later) => [later, ...later.children]))
        this.#leaveOut(one, 'expired', null, frame);
      return afterFailures(ending, frame);
    }
    return afterFailures({ status: 'succeeded', reason: null, error: null }, frame);
  }

  /** @returns undefined when the pipeline goes on. */
  async #runStep(planned: PlannedStep, frame: CallFrame): Promise<Ending | null | undefined> {
    try {
      return await this.#tryStep(planned, frame);
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      return this.#notRendered(planned, error, frame);
    }
  }

  /**
   * A condition, a list or a fallback could not be told: the step says so, and the run ends. A step that has ended stays as
   * it is: what became of its call, and that nobody knows, must not be forgotten.
   */
  #notRendered({ step, position, tool }: PlannedStep, error: TemplateError, { state }: CallFrame): Ending {
    const { message, pointer } = error;
    const runError: RunError = { kind: 'template', message, pointer, step: step.id };
    const before = state.get(step.id);
    if (before !== undefined && outcomeOf(before) !== null)
      return failed(this.options.redactor.redact(runError));
    const record = before ?? state.begin(step.id, position, tool);
    const finishedAt = this.options.clock.now();
    const put = state.put({ ...record, status: 'failed', reason: 'template', finishedAt, error: runError });
    return failed(put.error ?? runError);
  }

  async #tryStep(planned: PlannedStep, frame: CallFrame): Promise<Ending | null | undefined> {
    const { state } = frame;
    const { step } = planned;
    if (step.if !== undefined && state.get(step.id) === undefined && !this.#holds(step.if, planned, frame)) {
      this.#skip(planned, 'condition', frame);
      return undefined;
    }
    if (planned.changed !== null) {
      const seen = await this.#gate.look(planned, frame);
      if (seen === 'stopped') return stopped(stopCause(frame.signal));
      if (seen === 'unchanged') {
        this.#skip(planned, 'unchanged', frame);
        if (!planned.changed.skipsRun) return undefined;
        return afterFailures({ status: 'skipped', reason: 'unchanged', error: null }, frame);
      }
    }
    const outcome = await this.#outcome(planned, frame);
    if (outcome.type === 'done' || outcome.type === 'skipped') {
      this.#bind(planned, outcome.output, frame);
      return undefined;
    }
    if (outcome.type === 'failed' || outcome.type === 'unknown')
      return this.#tolerate(planned, outcome, frame);
    return endOf(outcome);
  }

  #outcome(planned: PlannedStep, frame: CallFrame): Promise<CallOutcome> {
    const { step } = planned;
    if ('parallel' in step && step.parallel !== undefined) return this.#parallel(planned, frame);
    if (step.wait !== undefined) return this.#waiting.wait(planned, frame);
    if (step.approve !== undefined) return this.#waiting.approve(planned, frame);
    if (planned.items !== null) return this.#forEach(planned, frame);
    return this.#caller.call(planned, step.id, frame);
  }

  #holds(condition: string | boolean, planned: PlannedStep, frame: CallFrame): boolean {
    if (typeof condition === 'boolean') return condition;
    return evaluateCondition(condition, frame.scope.values, {
      zone: frame.scope.zone,
      pointer: `/pipeline/${planned.position}/if`,
    });
  }

  #skip(planned: PlannedStep, reason: 'condition' | 'unchanged', frame: CallFrame): void {
    // A step that was not needed may still have something to say to the steps after it, also after a retry of those.
    const output = planned.fallback === null ? null : this.#renderFallback(planned, frame);
    this.#leaveOut(planned, reason, output, frame);
    if (planned.fallback !== null) this.#bind(planned, output, frame);
  }

  /** Records a step that is not done. */
  #leaveOut({ step, position, tool }: PlannedStep, reason: string, output: unknown, frame: CallFrame): void {
    const now = this.options.clock.now();
    const record = frame.state.begin(step.id, position, tool);
    frame.state.put({ ...record, status: 'skipped', reason, startedAt: now, finishedAt: now, output });
  }

  #bind(planned: PlannedStep, output: unknown, frame: CallFrame): void {
    const { outputs } = frame.state;
    outputs[planned.step.id] = output;
    if (planned.step.save_as !== undefined) outputs[planned.step.save_as] = output;
    frame.state.lastOutput = output;
  }

  #renderFallback(planned: PlannedStep, frame: CallFrame): unknown {
    const pointer = `/pipeline/${planned.position}/on_error/fallback`;
    return renderTemplate(planned.fallback, frame.scope, { pointer }).value;
  }

  #tolerate(
    planned: PlannedStep,
    outcome: Extract<CallOutcome, { type: 'failed' | 'unknown' }>,
    frame: CallFrame,
  ): Ending | undefined {
    const reason = outcome.type === 'unknown' ? 'unknown_outcome' : outcome.reason;
    const policy = planned.step.on_error ?? 'fail';
    if (policy === 'fail') {
      return endOf(outcome) as Ending;
    }
    frame.state.tolerated.push(reason);
    if (planned.fallback !== null) {
      this.#bind(planned, this.#renderFallback(planned, frame), frame);
      frame.state.fellBack.add(planned.step.id);
    }
    return undefined;
  }

  async #forEach(planned: PlannedStep, frame: CallFrame): Promise<CallOutcome> {
    const { state } = frame;
    const { step } = planned;
    const done = state.get(step.id);
    if (done?.status === 'succeeded') return { type: 'done', output: done.output };
    const options = step.foreach as { as?: string; max_concurrency?: number; max_items?: number };
    const pointer = `/pipeline/${planned.position}/foreach/items`;
    const items = evaluateExpression(planned.items as string, frame.scope.values, {
      zone: frame.scope.zone,
      pointer,
    });
    if (!Array.isArray(items))
      throw new TemplateError('type', `foreach needs a list, this is ${describe(items)}.`, pointer);
    const most = options.max_items ?? 100;
    if (items.length > most) {
      throw new TemplateError(
        'limit',
        `foreach has ${items.length} items, more than max_items (${most}).`,
        pointer,
      );
    }
    const name = options.as ?? 'item';
    const outcomes = await inParallel(
      items,
      options.max_concurrency ?? 1,
      async (item, index, others): Promise<CallOutcome> => {
        const outcome = await this.#caller.call(planned, `${step.id}[${index}]`, {
          ...frame,
          scope: { ...frame.scope, values: { ...frame.scope.values, item, [name]: item, index } },
        });
        return (await this.#keepNow([planned], () => others(outcome), frame)) ? outcome : lostLease(frame);
      },
      // One that comes back later, to be tried again or when a task it called has ended, is still under way.
      ({ type }) => type === 'later' || type === 'stopped',
    );
    return this.#join(planned, outcomes, frame);
  }

  async #parallel(planned: PlannedStep, frame: CallFrame): Promise<CallOutcome> {
    const done = frame.state.get(planned.step.id);
    if (done?.status === 'succeeded') return { type: 'done', output: done.output };
    let underWay = planned.children.length;
    const endings = await Promise.all(
      planned.children.map(async (child) => {
        const ending = await this.#runStep(child, frame);
        underWay -= 1;
        return (await this.#keepNow([child, ...child.children], () => underWay, frame))
          ? ending
          : endOf(lostLease(frame));
      }),
    );
    const output: Record<string, unknown> = {};
    for (const child of planned.children) output[child.step.id] = frame.state.outputs[child.step.id] ?? null;
    const ended = endings.filter((ending) => ending !== undefined);
    const bad = worst(ended);
    if (bad === undefined) return this.#join(planned, [{ type: 'done', output }], frame, output);
    if (bad === null) return { type: 'stopped', cause: 'lease_lost' };
    if (bad.status === 'queued' || bad.status === 'waiting') {
      if (bad.interrupted === true) return { type: 'stopped', cause: 'interrupted' };
      return {
        type: 'later',
        status: bad.status,
        runAt: bad.runAt ?? this.options.clock.now(),
        reason: bad.reason ?? '',
        error: bad.error,
      };
    }
    if (bad.status === 'canceled') return { type: 'stopped', cause: 'canceled' };
    if (isUnanswered(bad)) return { type: 'unanswered' };
    if (ended.some(isUnanswered) && (planned.step.on_error ?? 'fail') !== 'fail') {
      // The failure beside it may be gone past; what nobody said yes to may not.
      frame.state.tolerated.push(bad.reason ?? 'failed');
      return { type: 'unanswered' };
    }
    const error = bad.error ?? { kind: bad.reason ?? 'failed', message: 'A parallel step failed.' };
    if (bad.reason === 'unknown_outcome') return { type: 'unknown', error };
    const skipped = bad.status === 'skipped';
    return {
      type: 'failed',
      reason: bad.reason ?? 'failed',
      error,
      exhausted: bad.status === 'dead',
      skipped,
    };
  }

  /**
   * Writes what was just done outside while others of its group are under way: they may go on for long, and a crash must
   * not make it unknown, or done again. @returns whether the lease still holds.
   */
  async #keepNow(done: PlannedStep[], others: () => number, { state }: CallFrame): Promise<boolean> {
    if (others() === 0 || !state.hasUnwritten) return true;
    const isOutside = ({ tool }: PlannedStep) =>
      tool !== null && this.options.catalog.find(tool)?.kind !== 'builtin';
    return !done.some(isOutside) || (await state.write()) !== 'fenced';
  }

  /** The step that stands for its items: the first outcome that is not plainly done decides. */
  #join(planned: PlannedStep, outcomes: CallOutcome[], frame: CallFrame, whole?: unknown): CallOutcome {
    const order: CallOutcome['type'][] = ['stopped', 'later', 'unknown', 'failed'];
    for (const type of order) {
      const found = outcomes.find((outcome) => outcome.type === type);
      if (found !== undefined) return found;
    }
    const output = whole ?? outcomes.map((outcome) => ('output' in outcome ? outcome.output : null));
    const now = this.options.clock.now();
    const record = frame.state.begin(planned.step.id, planned.position, planned.tool);
    frame.state.put({ ...record, status: 'succeeded', attempts: 1, finishedAt: now, output });
    return { type: 'done', output };
  }
}

/** The end of an attempt that is handed back untouched: it does not count. */
export function interruptedCompletion(leased: LeasedRun, now: number): Completion {
  return {
    runId: leased.run.id,
    leaseToken: leased.leaseToken,
    steps: [],
    status: 'queued',
    reason: null,
    error: null,
    output: null,
    runAt: now,
    finishedAt: now,
    interrupted: true,
  };
}

/** An end of the pipeline; `partial` where it went on after a failure before. */
function afterFailures(ending: Ending, { state }: CallFrame): Ending {
  const [failure] = state.tolerated;
  return failure === undefined ? ending : { status: 'partial', reason: failure, error: null };
}

/** Whether a run ends because nobody answered, and its step says `on_timeout: skip`. */
const isUnanswered = (ending: Ending | null): boolean =>
  ending?.status === 'skipped' && ending.reason === 'expired';

function endOf(outcome: CallOutcome): Ending | null {
  if (outcome.type === 'unanswered') return { status: 'skipped', reason: 'expired', error: null };
  if (outcome.type === 'later') {
    return { status: outcome.status, reason: outcome.reason, error: outcome.error, runAt: outcome.runAt };
  }
  if (outcome.type === 'failed' && outcome.skipped === true)
    return { status: 'skipped', reason: outcome.reason, error: outcome.error };
  if (outcome.type === 'failed') {
    return { status: outcome.exhausted ? 'dead' : 'failed', reason: outcome.reason, error: outcome.error };
  }
  if (outcome.type === 'unknown')
    return { status: 'partial', reason: 'unknown_outcome', error: outcome.error };
  if (outcome.type === 'stopped') return stopped(outcome.cause);
  return { status: 'succeeded', reason: null, error: null };
}

function stopped(cause: ReturnType<typeof stopCause>): Ending | null {
  if (cause === 'lease_lost') return null;
  if (cause === 'interrupted') return { status: 'queued', reason: null, error: null, interrupted: true };
  if (cause === 'timeout')
    return failed({ kind: 'timeout', message: 'The task ran longer than its timeout.' });
  return { status: 'canceled', reason: 'canceled', error: null };
}

/** Who pays for what a run does. */
function payerOf({ run, spec, agentBudget }: LeasedRun): Payer & { runId: string } {
  return {
    runId: run.id,
    task: { id: run.taskId, zone: spec.schedule?.timezone ?? null, budget: spec.budget },
    agent: { id: run.agentId, budget: agentBudget },
  };
}

/** A run that was not begun: there have been as many as the budget lets there be. */
function notPaidFor(error: ToolError, { run }: LeasedRun): Ending {
  const hint = `pao task show ${run.taskName}`;
  return { status: 'skipped', reason: 'budget', error: { kind: 'budget', message: error.message, hint } };
}

/** As {@link insistently}. @throws ToolError `canceled` when the run was stopped before the store answered. */
async function untilStopped<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  const answer = await insistently(ask, signal);
  if (answer === STOPPED) throw new ToolError('canceled', 'The run was stopped.');
  return answer;
}

const failed = (error: RunError): Ending => ({ status: 'failed', reason: error.kind, error });

/** What stops most decides: a lost lease, then what must be looked at again, then a failure. */
function worst(endings: (Ending | null)[]): Ending | null | undefined {
  if (endings.some((ending) => ending === null)) return null;
  const rank = (ending: Ending) =>
    ending.status === 'canceled'
      ? 0
      : ending.status === 'queued' || ending.status === 'waiting'
        ? 1
        : isUnanswered(ending)
          ? 3
          : 2;
  // Of several that come back later, the first to come back: the others wait on then.
  return (endings as Ending[]).sort((a, b) => rank(a) - rank(b) || (a.runAt ?? 0) - (b.runAt ?? 0))[0];
}

async function inParallel<T, R>(
  items: T[],
  limit: number,
  /** `others`: how many are under way besides; none where, after this result, its place goes on to the next one. */
  work: (item: T, index: number, others: (result: R) => number) => Promise<R>,
  /** Whether its place stays taken: no further item begins there in this attempt. */
  occupies: (result: R) => boolean,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let underWay = 0;
  const lane = async () => {
    while (next < items.length) {
      const index = next++;
      underWay += 1;
      const result = await work(items[index] as T, index, (ended) =>
        next < items.length && !occupies(ended) ? 0 : underWay - 1,
      );
      underWay -= 1;
      results[index] = result;
      if (occupies(result)) return;
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  return results.filter((result) => result !== undefined);
}

const describe = (value: unknown) =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;

/** A run keeps the last output only when it is small; the step has it in full. */
function bounded(output: unknown): unknown {
  if (output === null || output === undefined) return null;
  if (typeof output !== 'object' && typeof output !== 'string') return output;
  return JSON.stringify(output).length <= 65_536 ? output : null;
}
