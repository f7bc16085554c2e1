import type { Approval } from '../../domain/approval.js';
import { parseDuration } from '../../domain/duration.js';
import type { PublishedEvent } from '../../domain/event.js';
import { newId } from '../../domain/ids.js';
import { evaluateCondition, renderTemplate } from '../../domain/pipeline/template.js';
import { TemplateError } from '../../domain/pipeline/template-error.js';
import { agentName } from '../deliver/questions/agent-name.js';
import type { NewApproval, Store, StepWrite } from '../store/store.js';
import { type AskSettings, askByMessage } from './ask-by-message.js';
import type { PlannedStep } from './plan.js';
import { type CallFrame, type CallOutcome, outcomeOf } from './step-caller.js';

/**
 * Whether something was begun after a question that nobody answered. pao up to 0.1.0 went past it (`on_timeout: skip`): a
 * run that did goes on as it began, or what it did since would be forgotten.
 */
const isGonePast = ({ position }: PlannedStep, { steps }: CallFrame['state']): boolean =>
  [...steps].some(
    (step) => step.position > position && !(step.status === 'skipped' && step.reason === 'expired'),
  );

/** Events read in one go while looking for the one a step waits for. */
const EVENTS_AT_ONCE = 500;

/** Steps in which the run leaves the worker and comes back: a sleep, an event, a person's answer. */
export class WaitingSteps {
  constructor(private readonly options: { store: Store; now: () => number; ask?: AskSettings | undefined }) {}

  /** Until an instant, or until an event. */
  async wait(planned: PlannedStep, frame: CallFrame): Promise<CallOutcome> {
    const before = frame.state.get(planned.step.id);
    const settled = before === undefined ? null : outcomeOf(before);
    if (settled !== null) return settled;
    const record = before ?? frame.state.begin(planned.step.id, planned.position, null);
    return planned.step.wait?.event === undefined
      ? this.#sleep(planned, frame, record)
      : this.#waitForEvent(planned, frame, record);
  }

  #sleep(planned: PlannedStep, frame: CallFrame, record: StepWrite): CallOutcome {
    const now = this.options.now();
    const until =
      (record.output as { until_ms?: number } | null)?.until_ms ?? wakingTime(planned, frame, now);
    const output = { until: new Date(until).toISOString(), until_ms: until };
    if (now < until) return later(frame, { ...record, output }, 'wait', until);
    return this.#done(frame, record, output);
  }

  /** Looks again at every event since it began to wait: which of them woke the run does not matter. */
  async #waitForEvent(planned: PlannedStep, frame: CallFrame, record: StepWrite): Promise<CallOutcome> {
    const wait = planned.step.wait as NonNullable<PlannedStep['step']['wait']>;
    const pointer = `/pipeline/${planned.position}/wait`;
    const topic = String(
      renderTemplate(wait.event as string, frame.scope, { pointer: `${pointer}/event` }).value,
    );
    const now = this.options.now();
    const known = record.output as { topic: string; after: number; until_ms: number } | null;
    const until = known?.until_ms ?? now + parseDuration(wait.timeout as string);
    let after = known?.after ?? (await this.#startOf(wait.look_back, now));
    for (;;) {
      const { items } = await this.options.store.listEvents({ topic, after, limit: EVENTS_AT_ONCE });
      const found = items.find((event) => fits(event, wait.filter, frame, `${pointer}/filter`));
      if (found !== undefined) {
        return this.#done(frame, record, {
          event: { id: found.id, topic: found.topic, payload: found.payload, sequence: found.sequence },
        });
      }
      after = items.at(-1)?.sequence ?? after;
      if (items.length < EVENTS_AT_ONCE) break;
    }
    if (now >= until) {
      if (wait.on_timeout === 'continue') return this.#done(frame, record, { event: null });
      return this.#fail(frame, record, 'timeout', `No event came on ${topic} within ${wait.timeout}.`);
    }
    frame.state.waitFor({ stepId: record.stepId, topic, after });
    const output = { topic, after, until: new Date(until).toISOString(), until_ms: until };
    return later(frame, { ...record, output }, 'event', until);
  }

  /** The sequence from which on events count: now, or as far back as the step looks. */
  async #startOf(lookBack: string | undefined, now: number): Promise<number> {
    const from = now - (lookBack === undefined ? 0 : parseDuration(lookBack));
    let cursor: string | undefined;
    let after = 0;
    let isFirst = true;
    for (;;) {
      const page = await this.options.store.listEvents({ limit: lookBack === undefined ? 1 : 1000, cursor });
      if (isFirst && lookBack === undefined) return page.items[0]?.sequence ?? 0;
      isFirst = false;
      const older = page.items.find((event) => event.createdAt < from);
      if (older !== undefined) return older.sequence;
      after = (page.items.at(-1)?.sequence ?? 1) - 1;
      if (page.nextCursor === null) return after;
      cursor = page.nextCursor;
    }
  }

  /** Asks a person, and goes on with the answer. */
  async approve(planned: PlannedStep, frame: CallFrame): Promise<CallOutcome> {
    const { store } = this.options;
    const { state } = frame;
    const { id: stepId } = planned.step;
    const before = state.get(stepId);
    const settled = before === undefined ? null : outcomeOf(before);
    if (settled?.type === 'unanswered' && isGonePast(planned, state))
      return { type: 'skipped', reason: 'expired', output: before?.output ?? null };
    if (settled !== null) return settled;
    const record = before ?? state.begin(stepId, planned.position, null);
    const { run } = state.leased;
    let approval = before === undefined ? null : await store.findApproval(run.id, stepId);
    if (approval === null) return this.#ask(planned, frame, record);
    const now = this.options.now();
    if (approval.state === 'pending') {
      if (now < approval.expiresAt) return later(frame, record, 'approval', approval.expiresAt);
      const expired = await store.decideApproval({
        id: approval.id,
        state: 'expired',
        by: 'timeout',
        comment: null,
        now,
      });
      approval = expired?.approval ?? approval;
    }
    return this.#conclude(frame, record, approval);
  }

  async #ask(planned: PlannedStep, frame: CallFrame, record: StepWrite): Promise<CallOutcome> {
    const { state, scope } = frame;
    const approve = planned.step.approve as NonNullable<PlannedStep['step']['approve']>;
    const pointer = `/pipeline/${planned.position}/approve`;
    const open = await this.options.store.findOpenApproval(state.leased.run.taskId, record.stepId);
    if (open !== null && open.runId !== state.leased.run.id) {
      // A person is not asked twice at once; this run has its turn when the other has its answer.
      return later(frame, record, 'approval_open', open.expiresAt);
    }
    const now = this.options.now();
    const message = String(renderTemplate(approve.message, scope, { pointer: `${pointer}/message` }).value);
    const data =
      approve.data === undefined
        ? null
        : renderTemplate(approve.data, scope, { pointer: `${pointer}/data` }).value;
    const expiresAt = now + parseDuration(approve.expires_in);
    const id = newId('apr', now);
    const approval: NewApproval = {
      id,
      stepId: record.stepId,
      message,
      data,
      onTimeout: approve.on_timeout,
      requestedAt: now,
      expiresAt,
    };
    state.ask(approval);
    const asked = await askByMessage(approval, approve.notify, state.leased, {
      ...this.options.ask,
      store: this.options.store,
      zone: scope.zone,
      now,
    });
    if (asked !== null) state.tell(asked);
    const output = { approval_id: id, expires_at: new Date(expiresAt).toISOString() };
    return later(frame, { ...record, input: { message, data }, output }, 'approval', expiresAt);
  }

  async #conclude(frame: CallFrame, record: StepWrite, approval: Approval): Promise<CallOutcome> {
    const output = {
      decision: approval.state,
      data: approval.data,
      by: approval.decidedBy,
      comment: approval.comment,
      approval_id: approval.id,
    };
    const isYes =
      approval.state === 'approved' || (approval.state === 'expired' && approval.onTimeout === 'approve');
    if (isYes) return this.#done(frame, record, output);
    if (approval.state === 'expired' && approval.onTimeout === 'skip') {
      frame.state.put({
        ...record,
        status: 'skipped',
        reason: 'expired',
        finishedAt: this.options.now(),
        output,
      });
      return { type: 'unanswered' };
    }
    if (approval.state === 'canceled') return { type: 'stopped', cause: 'canceled' };
    const said = approval.comment === null ? '' : `: ${approval.comment}`;
    if (approval.state !== 'denied') return this.#fail(frame, record, 'expired', 'Nobody answered in time.');
    const who = (await agentName(this.options.store, approval.decidedBy)) ?? approval.decidedBy ?? 'Somebody';
    return this.#fail(frame, record, 'denied', `${who} said no${said}`);
  }

  #done(frame: CallFrame, record: StepWrite, output: unknown): CallOutcome {
    const done = frame.state.put({
      ...record,
      status: 'succeeded',
      reason: null,
      finishedAt: this.options.now(),
      output,
    });
    return { type: 'done', output: done.output };
  }

  #fail(frame: CallFrame, record: StepWrite, reason: string, message: string): CallOutcome {
    const error = { kind: reason, message, step: record.stepId };
    frame.state.put({ ...record, status: 'failed', reason, finishedAt: this.options.now(), error });
    return { type: 'failed', reason, error, exhausted: false };
  }
}

function later(frame: CallFrame, record: StepWrite, reason: string, runAt: number): CallOutcome {
  frame.state.put({ ...record, status: 'waiting', reason });
  return { type: 'later', status: 'waiting', runAt, reason, error: null };
}

function wakingTime(planned: PlannedStep, frame: CallFrame, now: number): number {
  const { wait } = planned.step;
  if (wait?.for !== undefined) return now + parseDuration(wait.for);
  const pointer = `/pipeline/${planned.position}/wait/until`;
  const value = String(renderTemplate(wait?.until, frame.scope, { pointer }).value);
  const until = Date.parse(value);
  if (Number.isNaN(until))
    throw new TemplateError('value', `"${value.slice(0, 40)}" is not a time.`, pointer);
  return until;
}

function fits(event: PublishedEvent, filter: string | undefined, frame: CallFrame, pointer: string): boolean {
  if (filter === undefined) return true;
  const values = { ...frame.scope.values, topic: event.topic, payload: event.payload };
  return evaluateCondition(filter, values, { zone: frame.scope.zone, pointer });
}
