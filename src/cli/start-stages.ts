import { formatDuration } from '../domain/duration.js';
import type { StartStage } from '../server/supervisor/supervisor.js';
import type { Output } from './output.js';
import { progressStyle, runTasks } from './progress.js';

/** Does a part of the start, and shows it. */
export type ShowStage = <T>(name: StartStage, work: () => Promise<T>) => Promise<T>;

/** What is shown for each part, in the order they come up. */
export type StageTitles = Record<StartStage, string>;

const ORDER: readonly StartStage[] = ['home', 'store', 'bus', 'api', 'scheduler', 'workers'];

/**
 * Shows the parts of a start on stderr while `start` does them: drawn live in a terminal, a line each elsewhere.
 * The work never waits for the drawing.
 * @throws what `start` throws.
 */
export async function showStages<T>(
  titles: StageTitles,
  start: (stage: ShowStage) => Promise<T>,
  options: { out: Output; env: Readonly<Record<string, string | undefined>>; signal: AbortSignal },
): Promise<T> {
  const style = progressStyle(options.out, options.env);
  if (style === 'silent') return start((_name, work) => work());
  if (style === 'simple') return start((name, work) => lineFor(titles[name], work, options.out));
  return drawn(titles, start, options);
}

async function lineFor<T>(title: string, work: () => Promise<T>, out: Output): Promise<T> {
  const began = performance.now();
  const result = await work();
  out.success(`${title} ${out.paintNote.dim(`(${formatDuration(performance.now() - began)})`)}`);
  return result;
}

async function drawn<T>(
  titles: StageTitles,
  start: (stage: ShowStage) => Promise<T>,
  options: Parameters<typeof showStages>[2],
): Promise<T> {
  const gates = new Map(ORDER.map((name) => [name, new Gate()]));
  const started = start((name, work) => {
    const result = work();
    gates.get(name)?.open(result);
    return result;
  });
  // A failure between two parts would leave the ones after it waiting.
  started.catch((error: unknown) => {
    for (const gate of gates.values()) gate.open(Promise.reject(error));
  });
  const tasks = ORDER.map((name) => ({ title: titles[name], task: () => gates.get(name)?.passed }));
  // Its errors are those of the start, which is awaited next.
  await runTasks(tasks, {}, options).catch(() => {});
  return started;
}

/** A promise whose work is known later. */
class Gate {
  readonly passed: Promise<unknown>;
  #resolve!: (work: Promise<unknown>) => void;

  constructor() {
    this.passed = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    // Nobody waits for the gates after one that failed.
    this.passed.catch(() => {});
  }

  open(work: Promise<unknown>): void {
    work.catch(() => {});
    this.#resolve(work);
  }
}
