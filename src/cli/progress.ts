import type { ListrTask } from 'listr2';
import type { Output } from './output.js';

/** How progress is shown: drawn again and again, a line at each start and end, every detail, or not at all. */
export type ProgressStyle = 'default' | 'simple' | 'verbose' | 'silent';

/** Chooses how progress is shown. */
export function progressStyle(
  { json, quiet, verbose, hasScreen }: Pick<Output, 'json' | 'quiet' | 'verbose' | 'hasScreen'>,
  env: Readonly<Record<string, string | undefined>>,
): ProgressStyle {
  if (json || quiet) return 'silent';
  if (verbose) return 'verbose';
  const isDrawable = hasScreen && !env['CI'] && env['TERM'] !== 'dumb';
  return isDrawable ? 'default' : 'simple';
}

/** What {@link runTasks} needs besides the tasks. */
export interface ProgressOptions {
  out: Output;
  env: Readonly<Record<string, string | undefined>>;
  signal: AbortSignal;
  /** How many tasks run at once; 1 when left out. */
  concurrency?: number;
  /** Whether the first failure ends the run; it does when left out. */
  exitOnError?: boolean;
}

/**
 * Runs tasks and shows them on stderr as they go; no further one starts once the signal is aborted.
 * @throws what the first failing task threw, or the reason of the abort.
 */
export async function runTasks<Context extends object>(
  tasks: ListrTask<Context>[],
  context: Context,
  { out, env, signal, concurrency = 1, exitOnError = true }: ProgressOptions,
): Promise<Context> {
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2');
  // listr2 looks at stdout, which belongs to the answer.
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const list = new Listr<Context, ProgressStyle>(
    tasks.map((task) => ({ ...task, skip: (value: Context) => signal.aborted || skips(task, value) })),
    {
      ctx: context,
      concurrent: concurrency,
      exitOnError,
      renderer: progressStyle(out, env),
      fallbackRenderer: 'simple',
      fallbackRendererCondition: () => false,
      silentRendererCondition: () => false,
      // listr2's own handler ends the process with 127 and without a clean-up.
      registerSignalListeners: false,
      rendererOptions: { logger, collapseSubtasks: false } as never,
    },
  );
  const result = await list.run(context);
  signal.throwIfAborted();
  return result;
}

function skips<Context extends object>(task: ListrTask<Context>, context: Context) {
  return typeof task.skip === 'function' ? task.skip(context) : (task.skip ?? false);
}
