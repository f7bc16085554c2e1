import type { Completion, LeasedRun } from '../store/store.js';
import type { Logger } from '../telemetry/logger.js';

type What = 'start' | 'success' | 'fail';

/**
 * The dead-man pings of tasks (`monitor.ping_url`): a GET after each success; in the style of healthchecks.io also
 * `/start` when a run begins and `/fail` when it failed for good, so that people are told at once
 * (https://healthchecks.io/docs/http_api/). A ping that does not arrive is logged and changes nothing here.
 */
export class TaskPings {
  /** What is under way, by URL: a start must not come after the end of its run. */
  readonly #last = new Map<string, Promise<void>>();

  constructor(private readonly options: { get: (url: string) => Promise<unknown>; logger: Logger }) {}

  /** A run begins; its retries begin nothing, nor does one that comes back after it waited. */
  started({ run, steps, spec: { monitor } }: LeasedRun): void {
    if (monitor?.ping_style !== 'healthchecks' || run.attempt > 1 || steps.length > 0) return;
    // A look of a condition is no run yet.
    if (run.trigger === 'condition') return;
    this.#ping(monitor.ping_url, 'start');
  }

  /** An attempt has ended, and the store has it. */
  ended({ status, reason }: Pick<Completion, 'status' | 'reason'>, { spec: { monitor } }: LeasedRun): void {
    const what = whatToSay(status, reason);
    if (what === null || (what === 'fail' && monitor?.ping_style !== 'healthchecks')) return;
    this.#ping(monitor?.ping_url, what);
  }

  #ping(base: string | undefined, what: What): void {
    if (base === undefined) return;
    const { get, logger } = this.options;
    const url = what === 'success' ? base : under(base, what);
    const ping = (this.#last.get(base) ?? Promise.resolve())
      .then(() => get(url))
      .then(
        () => {},
        (error: unknown) => logger.warn({ err: error, what }, 'the dead-man ping of a task did not arrive'),
      )
      .finally(() => {
        if (this.#last.get(base) === ping) this.#last.delete(base);
      });
    this.#last.set(base, ping);
  }
}

/**
 * `partial` is a success: the pipeline says itself that it may go on. Where nobody knows whether a call took effect, nothing
 * is said, and the switch speaks up. What had nothing new to do (`unchanged`) is alive as well.
 */
function whatToSay(status: Completion['status'], reason: string | null): What | null {
  if (status === 'failed' || status === 'dead') return 'fail';
  if (status === 'partial') return reason === 'unknown_outcome' ? null : 'success';
  return status === 'succeeded' || (status === 'skipped' && reason === 'unchanged') ? 'success' : null;
}

/** The address of another kind of ping, beside that of the success. */
function under(base: string, what: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${what}`;
  return url.href;
}
