import type { Run, RunStatus, StepRun } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Store } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';
import { noticeOfLost, noticeOfStep } from './notice.js';
import { logNotice, oneOfSeveral, type PutNotice } from './put-notice.js';

/** Runs in which something may have gone wrong with a step. */
const SUSPECT: readonly RunStatus[] = ['partial', 'failed', 'dead', 'canceled'];
const PAGE = 200;
/** Pages that are read at most when all of one is new. */
const MOST_PAGES = 5;
/** Errors that do not mend themselves. */
const STUCK: readonly string[] = ['auth', 'config_error', 'forbidden'];
const PREFIX = 'step_failing:';
const MOST_STEPS = 500;
/** The newest runs of a task in which a step is looked for: it may have been skipped in the last ones. */
const NEAR = 5;
/** When this was first looked at, in `meta`: what ended more than a day before is nobody's news. */
const SINCE_KEY = 'step_trouble_since';
const DAY_MS = 86_400_000;

/** What is remembered of a step that does not work, in `meta`. Told of under the run that stands here, whoever looks. */
interface StuckState {
  reason: string;
  run_id: string;
  told: boolean;
}

/**
 * Sees steps that need a person although their runs ended: calls whose outcome was lost, once for each run, and steps that
 * a task goes on without (`on_error`) though their error does not mend itself, once until they work again.
 */
export class StepTrouble {
  /** Runs that were looked at. */
  #seen = new Set<string>();
  /** By task: the newest run that its steps were judged by. */
  readonly #judgedBy = new Map<string, string>();
  #since: number | null = null;

  constructor(
    private readonly options: {
      store: Store;
      now: () => number;
      logger: Logger;
      put: PutNotice;
      /** How long the store remembers what was told, milliseconds: a run that ended before may have been. */
      keepMs: number;
    },
  ) {}

  async runOnce(): Promise<void> {
    const { store, logger } = this.options;
    const { fresh, ids } = await this.#fresh();
    const known = await store.listMeta(PREFIX, MOST_STEPS);
    const taskIds = new Set(known.map(({ key }) => key.slice(PREFIX.length).split('/')[0] as string));
    for (const run of fresh) {
      const told = await oneOfSeveral(logger, { run_id: run.id }, async () => {
        const steps = await store.listSteps(run.id);
        const lost = steps.filter(({ status }) => status === 'unknown');
        if (run.status === 'partial' && steps.some(isStuck)) taskIds.add(run.taskId);
        if (lost.length > 0) await this.#tellLost(run, lost);
      });
      if (!told) ids.delete(run.id);
    }
    for (const id of taskIds) {
      if (await oneOfSeveral(logger, { task_id: id }, () => this.#judge(id, known))) continue;
      for (const run of fresh) if (run.taskId === id) ids.delete(run.id);
    }
    // Last, and without what could not be told of: that is looked at again.
    this.#seen = ids;
  }

  async #fresh(): Promise<{ fresh: Run[]; ids: Set<string> }> {
    const { store, now, keepMs } = this.options;
    const since = Math.max(await this.#watchedSince(), now() - keepMs);
    const fresh: Run[] = [];
    const ids = new Set<string>();
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const { items, nextCursor } = await store.listRuns({ statuses: [...SUSPECT], limit: PAGE, cursor });
      const unseen = items.filter(({ id }) => !this.#seen.has(id));
      for (const { id } of items) ids.add(id);
      fresh.push(...unseen.filter(({ finishedAt }) => finishedAt !== null && finishedAt >= since));
      if (unseen.length < items.length || nextCursor === null || this.#seen.size === 0) break;
      cursor = nextCursor;
    }
    return { fresh, ids };
  }

  async #watchedSince(): Promise<number> {
    const { store, now } = this.options;
    if (this.#since !== null) return this.#since;
    await store.swapMeta(SINCE_KEY, null, String(now()));
    this.#since = Number((await store.getMeta(SINCE_KEY)) ?? now()) - DAY_MS;
    return this.#since;
  }

  async #tellLost(run: Run, steps: readonly StepRun[]): Promise<void> {
    const { store, logger, put } = this.options;
    const task = await store.getTask(run.taskId);
    if (task === null) return;
    const notice = noticeOfLost(task, run, steps);
    logNotice(logger, notice);
    await put(notice, { task, agentId: task.agentId }, `${notice.kind}/${run.id}`);
  }

  /** Looks at the steps of one task by its newest runs. */
  async #judge(taskId: string, known: readonly { key: string; value: string }[]): Promise<void> {
    const { store } = this.options;
    const task = await store.getTask(taskId);
    const own = known.filter(({ key }) => key.startsWith(`${PREFIX}${taskId}/`));
    if (task === null || task.state === 'canceled') {
      for (const { key, value } of own) await store.swapMeta(key, value, null);
      return;
    }
    const { items } = await store.listRuns({
      taskId,
      statuses: ['succeeded', 'partial', 'failed', 'dead'],
      limit: NEAR,
    });
    const newest = items[0]?.id ?? '';
    const isTold = own.every(({ value }) => (JSON.parse(value) as StuckState).told);
    if (isTold && this.#judgedBy.get(taskId) === newest) return;
    const verdicts = new Map<string, StepRun>();
    for (const run of items)
      for (const [id, step] of verdictsOf(run, await store.listSteps(run.id)))
        if (!verdicts.has(id)) verdicts.set(id, step);
    for (const [id, step] of verdicts) await this.#settle(task, id, step);
    const pipeline = JSON.stringify(task.spec.pipeline);
    for (const { key, value } of own) {
      const id = key.slice(`${PREFIX}${taskId}/`.length);
      if (!pipeline.includes(JSON.stringify(id))) await store.swapMeta(key, value, null);
    }
    if (this.#judgedBy.size >= MOST_STEPS) this.#judgedBy.clear();
    this.#judgedBy.set(taskId, newest);
  }

  async #settle(task: Task, id: string, step: StepRun): Promise<void> {
    const { store, logger, put } = this.options;
    const key = `${PREFIX}${task.id}/${id}`;
    let text = await store.getMeta(key);
    const before = text === null ? null : (JSON.parse(text) as StuckState);
    if (!isStuck(step)) {
      if (text !== null) await store.swapMeta(key, text, null);
      return;
    }
    const { reason } = step as StepRun & { reason: string };
    if (before?.reason !== reason) {
      const state: StuckState = { reason, run_id: step.runId, told: false };
      await store.swapMeta(key, text, JSON.stringify(state));
      text = await store.getMeta(key);
    }
    // As it stands now: another server may have been first, and both tell with the same key.
    const state = text === null ? null : (JSON.parse(text) as StuckState);
    if (text === null || state === null || state.told) return;
    const notice = noticeOfStep(task, step);
    logNotice(logger, notice);
    await put(
      notice,
      { task, agentId: task.agentId },
      `${notice.kind}/${task.id}/${id}/${reason}/${state.run_id}`,
    );
    await store.swapMeta(key, text, JSON.stringify({ ...state, told: true }));
  }
}

const isStuck = ({ status, reason }: StepRun): boolean =>
  status === 'failed' && reason !== null && STUCK.includes(reason);

/** What a run says of its steps, those of a foreach as one: works, or is stuck and the run went on. Others say nothing. */
function verdictsOf(run: Run, steps: readonly StepRun[]): Map<string, StepRun> {
  const verdicts = new Map<string, StepRun>();
  for (const step of steps) {
    const id = step.stepId.replace(/\[\d+\]$/, '');
    if (isStuck(step) ? run.status === 'partial' : step.status === 'succeeded' && !verdicts.has(id))
      verdicts.set(id, { ...step, stepId: id });
  }
  return verdicts;
}
