import type { Check, CheckResult } from '../checks/check.js';
import { totalsText } from '../checks/reporters/by-group.js';
import type { SuiteObserver } from '../checks/runner.js';
import { formatDuration } from '../domain/duration.js';
import type { Output } from './output.js';
import { progressStyle, runTasks } from './progress.js';
import { visible } from './visible.js';

/** Shows a suite on stderr while it runs. `close` waits until everything is drawn. */
export interface SuiteProgress extends SuiteObserver {
  close(): Promise<void>;
}

/** What {@link showSuite} needs. */
export interface ShowSuiteOptions {
  out: Output;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
}

/** A list drawn live in a terminal, a line for each check that ended elsewhere, nothing with `--json` or `--quiet`. */
export function showSuite(options: ShowSuiteOptions): SuiteProgress {
  const style = progressStyle(options.out, options.env);
  if (style === 'silent') return { close: async () => {} };
  return style === 'default' ? drawnList(options) : plainLines(options);
}

function plainLines({ out }: ShowSuiteOptions): SuiteProgress {
  return {
    settingUp: (text) => out.note(out.paintNote.dim(visible(text))),
    progress: (id, text) => out.detail(`  ${id}: ${visible(text)}`),
    ended: (result) => out.note(resultLine(result, out)),
    close: async () => {},
  };
}

/** One result: mark, title, time, and why it was skipped. */
function resultLine({ status, title, id, duration_ms: ms, error }: CheckResult, out: Output): string {
  const { symbols, paintNote: paint } = out;
  const mark = {
    passed: paint.green(symbols.ok),
    failed: paint.red(symbols.fail),
    warned: paint.yellow(symbols.warn),
    skipped: paint.dim(symbols.skip),
  }[status];
  const note = status === 'skipped' ? `skipped: ${visible(error ?? '')}` : formatDuration(ms);
  return `${mark} ${title} ${paint.dim(`${id} (${note})`)}`;
}

/** One entry for each group, with what failed and what runs in it below. */
function drawnList({ out, env, signal }: ShowSuiteOptions): SuiteProgress {
  let groups = new Map<string, DrawnGroup>();
  let drawing: Promise<unknown> = Promise.resolve();
  const groupOf = new Map<string, DrawnGroup>();
  let isFirst = true;
  return {
    settingUp(text) {
      if (isFirst) out.note(out.paintNote.dim(visible(text)));
      isFirst = false;
    },
    begins(checks) {
      groups = new Map();
      for (const check of checks) {
        const group = groups.get(check.group) ?? new DrawnGroup(check.group, out);
        groups.set(check.group, group);
        group.add(check);
        groupOf.set(check.id, group);
      }
      const tasks = [...groups.values()].map((group) => ({
        title: group.title,
        task: (_: object, task: DrawnTask) => group.draw(task),
      }));
      // The signal ends the suite, which ends every group: the list is not cut off on its own.
      const never = new AbortController().signal;
      const options = { out, env, signal: never, concurrency: tasks.length, exitOnError: false };
      drawing = runTasks(tasks as never, {}, options).catch(() => {});
    },
    started: (id) => groupOf.get(id)?.started(id),
    progress: (id, text) => groupOf.get(id)?.progress(id, visible(text)),
    ended: (result) => groupOf.get(result.id)?.ended(result),
    async close() {
      for (const group of groups.values()) group.close();
      await drawing;
      if (signal.aborted) out.note('Interrupted: what was made has been removed.');
    },
  };
}

/** The part of listr2's task that is written to. */
interface DrawnTask {
  title?: string | undefined;
  output?: string | undefined;
}

class DrawnGroup {
  readonly #open = new Map<string, string>();
  readonly #running = new Map<string, string>();
  readonly #results: CheckResult[] = [];
  readonly #lines: string[] = [];
  #task: DrawnTask | null = null;
  #isClosed = false;
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  readonly #done: Promise<void>;

  constructor(
    readonly title: string,
    private readonly out: Output,
  ) {
    this.#done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#done.catch(() => {});
  }

  add({ id, title }: Pick<Check<never>, 'id' | 'title'>): void {
    this.#open.set(id, title);
  }

  draw(task: DrawnTask): Promise<void> {
    this.#task = task;
    this.#show();
    return this.#done;
  }

  started(id: string): void {
    this.#running.set(id, '');
    this.#show();
  }

  progress(id: string, text: string): void {
    if (this.#running.has(id)) this.#running.set(id, text);
    this.#show();
  }

  ended(result: CheckResult): void {
    this.#running.delete(result.id);
    this.#results.push(result);
    if (result.status === 'failed' || result.status === 'warned')
      this.#lines.push(resultLine(result, this.out));
    this.#show();
    if (this.#results.length === this.#open.size) this.close();
  }

  close(): void {
    // What has ended can not be drawn on any more.
    if (this.#isClosed) return;
    this.#show();
    this.#isClosed = true;
    if (this.#results.some(({ status }) => status === 'failed')) this.#reject(new Error(this.#head()));
    else this.#resolve();
  }

  #head(): string {
    const totals = { passed: 0, failed: 0, warned: 0, skipped: 0 };
    for (const { status } of this.#results) totals[status]++;
    const time = formatDuration(this.#results.reduce((sum, { duration_ms: ms }) => sum + ms, 0));
    const isDone = this.#results.length === this.#open.size;
    const note = isDone ? `${totalsText(totals)}, ${time}` : `${this.#results.length}/${this.#open.size}`;
    return `${this.title} ${this.out.paintNote.dim(note)}`;
  }

  #show(): void {
    if (this.#task === null || this.#isClosed) return;
    this.#task.title = this.#head();
    const running = [...this.#running].map(
      ([id, text]) => `${this.#open.get(id)}${text === '' ? '' : this.out.paintNote.dim(` ${text}`)}`,
    );
    this.#task.output = [...this.#lines, ...running].join('\n');
  }
}
