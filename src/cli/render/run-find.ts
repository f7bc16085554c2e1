import { isIdOf, type PaoClient } from '../../client/pao-client.js';
import { notFound, PaoError } from '../../domain/errors.js';
import { findId } from './id-find.js';

/**
 * The id of a run: as it was given, the one that begins so, or of the latest run for `latest`.
 * @param options.task name or id of the task whose latest run is meant; any task when left out.
 * @throws PaoError exit 5 when nothing has run, exit 2 for what is no such text.
 */
export async function findRunId(
  client: PaoClient,
  text: string,
  options: { signal: AbortSignal; task?: string | undefined },
): Promise<string> {
  const { signal, task } = options;
  // A task that is not there is told as such: that nothing has run would be another fault.
  const isWhole = isIdOf('run', text);
  const taskId = task === undefined || isWhole ? undefined : (await client.findTask(task, { signal })).id;
  return findId(text, {
    prefix: 'run',
    word: 'run',
    listedBy: 'pao run list',
    list: (page) => client.listRuns({ ...page, signal, ...(taskId === undefined ? {} : { taskId }) }),
  }).catch((error: unknown) => {
    const isNone = text === 'latest' && error instanceof PaoError && error.code === 'PAO_NOT_FOUND';
    throw isNone ? notFound('run', text, [`pao task run ${task ?? 'NAME'} --wait`]) : error;
  });
}
