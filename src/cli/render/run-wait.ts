import type { RunObject } from '../../client/api-objects.js';
import type { PaoClient } from '../../client/pao-client.js';
import { formatDuration } from '../../domain/duration.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { machineTime } from './task-time.js';
import { exitCodeOfRun, paintStatus, sayEnd } from './run-lines.js';

export interface RunWaitOptions {
  signal: AbortSignal;
  /** Gives up after this many milliseconds. */
  timeoutMs?: number | undefined;
}

/** How often the steps of a run are looked at while a person watches, in milliseconds. */
const LOOK_EVERY_MS = 500;

/**
 * Waits for a run, says each step that ends and how the run ended, and sets the exit code of the process.
 * Ctrl-C ends the waiting alone: the run goes on.
 * @throws PaoError PAO_WAIT_TIMEOUT (exit 124); the reason of the signal.
 */
export async function waitAndTell(
  client: PaoClient,
  id: string,
  out: Output,
  { signal, timeoutMs }: RunWaitOptions,
): Promise<RunObject> {
  const told = new Set<string>();
  try {
    const ended = await client.waitForRun(id, {
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      // Steps are told to a person only; a script need not ask more than it must.
      ...(out.quiet || out.json
        ? {}
        : { everyMs: LOOK_EVERY_MS, onUpdate: (seen) => tellSteps(seen, told, out) }),
    });
    const run = await client.waitForMessages(ended, { signal });
    out.line(`${run.id}  ${run.status}`);
    sayEnd(run, out);
    const code = exitCodeOfRun(run.status);
    if (code !== 0) process.exitCode = code;
    return run;
  } catch (error) {
    if (signal.aborted) out.note(`The run goes on: pao run watch ${id}`);
    throw error;
  }
}

function tellSteps(run: RunObject, told: Set<string>, out: Output): void {
  for (const { id, status, duration_ms: ms, reason, attempts } of run.steps ?? []) {
    const what = status === 'waiting' ? `${id} waiting` : id;
    if (status === 'running' || told.has(what)) continue;
    told.add(what);
    if (status === 'waiting') {
      const until = `until ${machineTime(run.run_at)} at the latest`;
      out.note(`  ${visible(id)}  ${paintStatus(status, out.paintNote)}  ${until}`);
      continue;
    }
    const why = reason === null ? '' : ` (${reason})`;
    const took = ms == null ? '' : `  ${formatDuration(ms)}`;
    const again = attempts > 1 ? `  ${attempts} attempts` : '';
    out.note(`  ${visible(id)}  ${paintStatus(status, out.paintNote)}${visible(why)}${took}${again}`);
  }
}
