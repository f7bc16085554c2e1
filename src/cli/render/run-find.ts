import type { RunObject } from '../../client/api-objects.js';
import { isIdOf, type PaoClient } from '../../client/pao-client.js';
import { invalidInput, notFound } from '../../domain/errors.js';

/**
 * The id of a run: as it was given, or of the latest run for `latest`.
 * @param options.task name or id of the task whose latest run is meant; any task when left out.
 * @throws PaoError exit 5 when nothing has run, exit 2 for what is neither an id nor `latest`.
 */
export async function findRunId(
  client: PaoClient,
  text: string,
  options: { signal: AbortSignal; task?: string | undefined },
): Promise<string> {
  const { signal, task } = options;
  if (isIdOf('run', text)) return text;
  if (text !== 'latest') {
    throw invalidInput(
      `"${text.slice(0, 60)}" is no run: an id like run_… or latest is expected.`,
      [],
      ['pao run list'],
    );
  }
  const taskId = task === undefined ? undefined : (await client.findTask(task, { signal })).id;
  const { items } = await client.listRuns({ limit: 1, signal, ...(taskId === undefined ? {} : { taskId }) });
  const latest: RunObject | undefined = items[0];
  if (latest) return latest.id;
  throw notFound('run', text, [`pao task run ${task ?? 'NAME'} --wait`]);
}
