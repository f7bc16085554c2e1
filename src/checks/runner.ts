import { Redactor } from '../domain/redact.js';
import type {
  Check,
  CheckResult,
  Requirement,
  Suite,
  SuiteOptions,
  SuiteReport,
  SuiteSetUp,
  Target,
} from './check.js';
import { runCheck } from './run-check.js';
import { type Selection, selectChecks } from './select-checks.js';

const DEFAULT_CONCURRENCY = 4;
const CLEAN_UP_TIMEOUT_MS = 20_000;

/** Told what happens as it happens. */
export interface SuiteObserver {
  /** What the preparation is busy with. */
  settingUp?(text: string): void;
  /** All checks of the report, before the first starts. */
  begins?(checks: readonly Check<never>[]): void;
  started?(id: string): void;
  progress?(id: string, text: string): void;
  ended?(result: CheckResult): void;
}

/** How a suite went. */
export interface SuiteOutcome {
  report: SuiteReport;
  /** What made the suite itself fail: there was nothing to check, or it could not be taken down. */
  failure: unknown;
  wasInterrupted: boolean;
}

/**
 * Runs the chosen checks of a suite: what a check needs goes before it, independent ones run side by side, exclusive
 * ones alone. What checks made is removed and the system is taken down whatever happens.
 * @throws PaoError (exit 2) for an unknown id of a check, before anything is started.
 */
export async function runSuite<Context, Options extends SuiteOptions>(
  suite: Suite<Context, Options>,
  options: Options,
  observer: SuiteObserver = {},
): Promise<SuiteOutcome> {
  const selection = selectChecks(suite.checks, { ...options, command: suite.command });
  const startedAt = new Date();
  const began = performance.now();
  const redactor = new Redactor();
  if (options.target) redactor.register(options.target.token);
  const close = (results: CheckResult[], target: Target, failure: unknown): SuiteOutcome => {
    const totals = { passed: 0, failed: 0, warned: 0, skipped: 0 };
    for (const { status } of results) totals[status]++;
    const wasInterrupted = options.signal.aborted;
    const isGood = totals.failed === 0 && !(options.strict && totals.warned > 0);
    return {
      report: {
        suite: suite.id,
        status: isGood && failure === null && !wasInterrupted ? 'passed' : 'failed',
        version: options.version,
        started_at: startedAt.toISOString(),
        duration_ms: Math.round(performance.now() - began),
        target,
        totals,
        checks: results,
      },
      failure,
      wasInterrupted,
    };
  };
  let setUp: SuiteSetUp<Context>;
  try {
    options.signal.throwIfAborted();
    setUp = await suite.setUp(options, (text) => observer.settingUp?.(text));
  } catch (error) {
    const why = options.signal.aborted
      ? 'Not run: interrupted.'
      : `Not run: there was nothing to check (${error instanceof Error ? error.message : String(error)})`;
    const target = {
      url: options.target?.url ?? null,
      store: '',
      bus: '',
      ephemeral: options.target === null,
    };
    const results = selection.checks.map((check) => notRun(check, why, null));
    return close(results, target, options.signal.aborted ? null : error);
  }
  for (const secret of setUp.secrets ?? []) redactor.register(secret);
  observer.begins?.(selection.checks as unknown as Check<never>[]);
  const run = new SuiteRun(suite, options, selection, setUp, redactor, observer);
  let failure: unknown = null;
  try {
    await run.checks();
    await run.cleanUp();
  } finally {
    await setUp.dispose().catch((error: unknown) => {
      failure = error;
    });
  }
  return close(run.results(), setUp.target, failure);
}

/** The state of one run of a suite. */
class SuiteRun<Context, Options extends SuiteOptions> {
  readonly #results = new Map<string, CheckResult>();
  readonly #running = new Set<string>();
  readonly #cleanUps: { id: string; what: string; work: () => Promise<void> | void }[] = [];
  #failed: string | null = null;

  constructor(
    private readonly suite: Suite<Context, Options>,
    private readonly options: Options,
    private readonly selection: Selection<Context>,
    private readonly setUp: SuiteSetUp<Context>,
    private readonly redactor: Redactor,
    private readonly observer: SuiteObserver,
  ) {}

  /** Every result, in the order of the suite. */
  results(): CheckResult[] {
    return this.selection.checks
      .map(({ id }) => this.#results.get(id))
      .filter((result) => result !== undefined);
  }

  async checks(): Promise<void> {
    const limit = Math.max(1, this.options.concurrency ?? DEFAULT_CONCURRENCY);
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#settleSkipped();
        let next = this.#next(limit);
        while (next !== null) {
          void this.#run(next).then(go);
          next = this.#next(limit);
        }
        if (this.#running.size > 0) return;
        // What is left waits for one another: a mistake in the suite, and said as such.
        for (const check of this.#open())
          this.#end(notRun(check, 'Not run: what it needs is not there.', null));
        resolve();
      };
      go();
    });
  }

  /** Removes what checks made, last first. What can not be removed is a warning of its check. */
  async cleanUp(): Promise<void> {
    for (const { id, what, work } of this.#cleanUps.reverse()) {
      let timer: NodeJS.Timeout | undefined;
      try {
        const overtime = new Promise<never>((_, reject) => {
          timer = setTimeout(() => reject(new Error('it took too long')), CLEAN_UP_TIMEOUT_MS);
        });
        await Promise.race([work(), overtime]);
      } catch (error) {
        const result = this.#results.get(id);
        if (!result) continue;
        const why = error instanceof Error ? error.message : String(error);
        const left = `It could not remove ${what}: ${why}`;
        this.#results.set(id, {
          ...result,
          status: result.status === 'failed' ? 'failed' : 'warned',
          error: this.redactor.redactText(result.error === null ? left : `${result.error} ${left}`),
          hint: result.hint ?? 'pao task list',
        });
      } finally {
        clearTimeout(timer);
      }
    }
  }

  #open(): Check<Context>[] {
    return this.selection.checks.filter(({ id }) => !this.#results.has(id) && !this.#running.has(id));
  }

  #next(limit: number): Check<Context> | null {
    if (this.#running.size >= limit) return null;
    if ([...this.#running].some((id) => this.#check(id)?.isExclusive)) return null;
    const ready = this.#open().filter(({ needs = [] }) => needs.every((id) => this.#isDone(id)));
    const free = ready.find(({ isExclusive }) => !isExclusive);
    if (free) return free;
    return this.#running.size === 0 ? (ready[0] ?? null) : null;
  }

  #check(id: string): Check<Context> | undefined {
    return this.selection.checks.find((check) => check.id === id);
  }

  #isDone(id: string): boolean {
    const status = this.#results.get(id)?.status;
    return status === 'passed' || status === 'warned';
  }

  /** Ends the checks that are not to run; one that is skipped may make others skipped. */
  #settleSkipped(): void {
    for (let changed = true; changed; ) {
      changed = false;
      for (const check of this.#open()) {
        const reason = this.#reasonToSkip(check);
        if (reason === null) continue;
        this.#end(notRun(check, reason.why, reason.hint));
        changed = true;
      }
    }
  }

  #reasonToSkip(check: Check<Context>): { why: string; hint: string | null } | null {
    const { options, setUp, selection } = this;
    const { command } = this.suite;
    if (options.signal.aborted)
      return { why: 'Not run: interrupted.', hint: `${command} --only ${check.id}` };
    if (selection.leftOut.has(check.id)) return { why: 'Left out with --skip.', hint: null };
    if (this.#failed !== null && options.failFast) {
      return { why: `Not run: ${this.#failed} failed, and --fail-fast was given.`, hint: null };
    }
    if (check.isDisruptive && !setUp.target.ephemeral && !options.allowDisruptive) {
      return { why: 'It would disturb a live system.', hint: `${command} --allow-disruptive` };
    }
    const missing = (check.requires ?? []).filter((one) => !setUp.has.has(one));
    if (missing.length > 0) {
      return { why: `There is no ${missing.map((one) => REQUIREMENT[one]).join(' and no ')}.`, hint: null };
    }
    for (const id of check.needs ?? []) {
      const status = this.#results.get(id)?.status;
      if (status === 'failed' || status === 'skipped') {
        return {
          why: `It needs ${id}, which ${status === 'failed' ? 'failed' : 'was skipped'}.`,
          hint: null,
        };
      }
    }
    return null;
  }

  async #run(check: Check<Context>): Promise<void> {
    const { options, setUp, suite, redactor, observer } = this;
    this.#running.add(check.id);
    observer.started?.(check.id);
    const result = await runCheck(check, setUp.context, {
      signal: options.signal,
      command: suite.command,
      timeoutMs: options.timeoutMs,
      redactor,
      progress: (text) => observer.progress?.(check.id, redactor.redactText(text)),
      cleanUp: (what, work) => this.#cleanUps.push({ id: check.id, what, work }),
    });
    this.#running.delete(check.id);
    if (result.status === 'failed') this.#failed ??= check.id;
    this.#end(result);
  }

  #end(result: CheckResult): void {
    this.#results.set(result.id, result);
    this.observer.ended?.(result);
  }
}

const REQUIREMENT: Record<Requirement, string> = {
  server: 'server',
  'ephemeral-server': 'system of its own (leave out --target)',
  'same-machine': 'server on this machine',
  postgres: 'PostgreSQL',
  redis: 'Redis',
  prometheus: 'Prometheus',
  admin: 'token with the scope admin',
};

function notRun<Context>(check: Check<Context>, why: string, hint: string | null): CheckResult {
  const { id, title, group } = check;
  return { id, title, group, status: 'skipped', duration_ms: 0, evidence: {}, error: why, hint };
}
