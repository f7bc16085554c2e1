import { evaluateCondition } from '../../domain/pipeline/template.js';
import { type QuietTimes, quietTimesOf } from '../../domain/quiet-times.js';
import type { NewDelivery } from '../../domain/delivery.js';
import { isChannel } from '../../domain/channel.js';
import type { Redactor } from '../../domain/redact.js';
import type { Run } from '../../domain/run.js';
import type { Tool } from '../../domain/tool.js';
import { readAgentQuiet } from '../deliver/agent-quiet.js';
import { newDelivery } from '../deliver/new-delivery.js';
import type { Store, StepWrite } from '../store/store.js';
import { checkInput } from '../tools/check-input.js';
import { insistently, STOPPED } from './insistently.js';
import type { PlannedStep } from './plan.js';
import type { HeldBy } from './run-state.js';
import { type CallFrame, type CallOutcome, lostLease, type Prepared, stopCause } from './step-caller.js';

/** How long to wait for another run that is writing under the same key, milliseconds. */
const HELD_RETRY_MS = 1000;

/** Puts what a step says into the outbox, in the transaction of the step's result; somebody else sends it. */
export class MessageWriter {
  constructor(
    private readonly options: {
      store: Store;
      now: () => number;
      redactor: Redactor;
      /** A message was written. */
      onMessage: () => void;
    },
  ) {}

  /** @throws ToolError when the tool does not take the input. */
  async write(
    planned: PlannedStep,
    record: StepWrite,
    tool: Tool,
    prepared: Prepared,
    frame: CallFrame,
  ): Promise<CallOutcome> {
    const { state } = frame;
    const { run, spec } = state.leased;
    // What holds a secret is checked when it is there.
    if (prepared.mark === null) checkInput(tool, prepared.input);
    const { store } = this.options;
    const known = await insistently(
      async () => ({ root: await rootOf(store, run), agent: await readAgentQuiet(store, run.agentId) }),
      frame.signal,
    );
    if (known === STOPPED) return { type: 'stopped', cause: stopCause(frame.signal) };
    const key = prepared.key ?? `${known.root}/${record.stepId}/${tool.address}`;
    const delivery = this.#delivery(planned, { ...record, idempotencyKey: key }, tool, prepared, frame, {
      key,
      times: quietTimesOf(spec, known.agent),
    });
    const done: StepWrite = {
      ...record,
      status: 'succeeded',
      reason: null,
      error: null,
      attempts: record.attempts + 1,
      startedAt: record.startedAt ?? this.options.now(),
      finishedAt: this.options.now(),
      input: prepared.recorded,
      output: outputOf(delivery),
      idempotencyKey: key,
    };
    state.put(done);
    const written = await state.write({ key, stepId: record.stepId }, [delivery]);
    if (written === 'fenced') return lostLease(frame);
    if (written === 'stopped') {
      state.put({ ...record, status: 'waiting', reason: 'interrupted', attempts: record.attempts });
      return { type: 'stopped', cause: stopCause(frame.signal) };
    }
    if (written !== 'ok') return this.#held(done, written.holder, frame);
    this.options.onMessage();
    return { type: 'done', output: done.output };
  }

  #delivery(
    planned: PlannedStep,
    record: StepWrite,
    tool: Tool,
    prepared: Prepared,
    frame: CallFrame,
    { key, times }: { key: string; times: QuietTimes },
  ): NewDelivery {
    const { run } = frame.state.leased;
    const { step } = planned;
    const asked = (prepared.input as { urgent?: unknown } | null)?.urgent === true;
    const urgent =
      step.urgent === undefined
        ? asked
        : typeof step.urgent === 'boolean'
          ? step.urgent
          : evaluateCondition(step.urgent, frame.scope.values, {
              zone: frame.scope.zone,
              pointer: `/pipeline/${planned.position}/urgent`,
            });
    // A channel shows what is urgent in its own way.
    const given =
      urgent && isChannel(tool.address) ? { ...(prepared.input as object), urgent: true } : prepared.input;
    const input = this.options.redactor.redact(given);
    return newDelivery(
      {
        agentId: run.agentId,
        key,
        origin: 'step',
        taskId: run.taskId,
        runId: run.id,
        stepId: record.stepId,
        channel: tool.address,
        message: {
          input,
          ...(prepared.mark === null ? {} : { secrets: { mark: prepared.mark, names: prepared.names } }),
        },
        quietHours: step.quiet_hours,
        urgent,
      },
      times,
      this.options.now(),
    );
  }

  /** The same message was written before: by a run that this one repeats, or by one with the same key. */
  async #held(done: StepWrite, holder: HeldBy, frame: CallFrame): Promise<CallOutcome> {
    const { store, now } = this.options;
    if (holder.status === 'running' || holder.status === 'waiting') {
      frame.state.put({ ...done, status: 'waiting', reason: 'dedupe', output: null, finishedAt: null });
      return {
        type: 'later',
        status: 'waiting',
        runAt: now() + HELD_RETRY_MS,
        reason: 'dedupe',
        error: null,
      };
    }
    const id = (holder.output as { delivery_id?: string } | null)?.delivery_id;
    const before = id === undefined ? null : await insistently(() => store.getDelivery(id), frame.signal);
    if (before === STOPPED) return { type: 'stopped', cause: stopCause(frame.signal) };
    let output: unknown = holder.output;
    if (before !== null) {
      // What did not arrive for sure is tried again; what may have arrived is not.
      const again = before.status === 'failed' || before.status === 'suppressed';
      if (again) {
        const at = now();
        await insistently(
          () => store.resolveDelivery({ id: before.id, status: 'pending', reason: 'replay', now: at }),
          frame.signal,
        );
        this.options.onMessage();
      }
      output = outputOf({ ...before, status: again ? 'pending' : before.status });
    }
    const put = frame.state.put({ ...done, status: 'skipped', reason: 'dedupe', output });
    return { type: 'skipped', reason: 'dedupe', output: put.output };
  }
}

/** What later steps see of a message: where it is, not whether it arrived. */
function outputOf({
  id,
  channel,
  status,
  reason,
  dueAt,
}: Pick<NewDelivery, 'id' | 'channel' | 'reason' | 'dueAt'> & { status: string }) {
  return {
    delivery_id: id,
    channel,
    status,
    ...(status === 'deferred' || status === 'suppressed' ? { reason } : {}),
    ...(status === 'deferred' && dueAt !== null ? { until: new Date(dueAt).toISOString() } : {}),
  };
}

/** The run that a replay repeats, at its root: what it said is not said again. */
async function rootOf(store: Pick<Store, 'getRun'>, run: Run): Promise<string> {
  let { id, parentRunId, trigger } = run;
  while (trigger === 'replay' && parentRunId !== null) {
    const parent = await store.getRun(parentRunId);
    if (parent === null) return parentRunId;
    ({ id, parentRunId, trigger } = parent);
  }
  return id;
}
