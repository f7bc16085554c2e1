import type { Store } from '../store/store.js';

const SAMPLE = 20;

/**
 * How long a run of a task takes, by its newest runs that came through: the median, milliseconds from its start to its
 * end; undefined while there is none.
 */
export async function typicalRunMs(
  taskId: string,
  store: Pick<Store, 'listRuns'>,
): Promise<number | undefined> {
  const { items } = await store.listRuns({ taskId, statuses: ['succeeded', 'partial'], limit: SAMPLE });
  const durations = items
    .flatMap(({ startedAt, finishedAt }) =>
      startedAt === null || finishedAt === null ? [] : [finishedAt - startedAt],
    )
    .sort((a, b) => a - b);
  return durations[Math.floor(durations.length / 2)];
}
