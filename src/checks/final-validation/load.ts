import { pages } from '../../client/pao-client.js';
import type { RunObject, TaskObject } from '../../client/api-objects.js';
import { type Check, CheckFailure, type CheckTools } from '../check.js';
import { ensureEqual } from '../ensure.js';
import { makeTask, see, steps } from '../make.js';
import { until } from '../until.js';
import { type LoadMeasure, measureOf, regressions } from './measures.js';
import type { Profile, World } from './world.js';

const group = 'Load';
/** How much each profile asks for. */
const SIZE: Record<Profile, { runs: number; reads: number }> = {
  quick: { runs: 100, reads: 200 },
  standard: { runs: 1000, reads: 1000 },
  full: { runs: 10_000, reads: 5000 },
};
const AT_ONCE = 16;
const PRIORITIES = [1, 3, 5, 7, 9];

/** A scenario under load: what it measured is reported, and compared with the baseline when there is one. */
function scenario(
  id: string,
  title: string,
  run: (world: World, tools: CheckTools) => Promise<LoadMeasure>,
): Check<World> {
  return {
    id,
    title,
    group,
    requires: ['server', 'admin'],
    isDisruptive: true,
    isExclusive: true,
    timeoutMs: 10 * 60_000,
    async run(world, tools) {
      const measure = await run(world, tools);
      const { baseline, maxRegressionPercent } = world.options;
      const before = baseline?.measures[id];
      if (!baseline || !before) return { ...measure };
      const worse = regressions(measure, before, maxRegressionPercent);
      const evidence = { ...measure, before, worse };
      if (worse.length === 0) return evidence;
      throw new CheckFailure(
        `More than ${maxRegressionPercent} % worse than ${baseline.file}: ${worse.join('; ')}.`,
        `pao final-validation --only ${id} --save-baseline ${baseline.file}`,
        evidence,
      );
    },
  };
}

/** How much goes through, and how long it takes. */
export const loadChecks: Check<World>[] = [
  scenario(
    'load.burst',
    'A burst of runs of mixed priority is worked off, every one once',
    async (world, tools) => {
      const { runs } = SIZE[world.options.profile];
      const tasks: TaskObject[] = [];
      for (const priority of PRIORITIES) {
        const echo = steps({ id: 'echo', uses: 'debug.echo', with: { n: '${params.n}' } });
        tasks.push(await makeTask(world, tools, { ...echo, priority, params: { n: 0 } }));
      }
      const began = performance.now();
      await inParallel(runs, async (index) => {
        const task = tasks[index % tasks.length] as TaskObject;
        await world.client.runTask(task.id, { params: { n: index } }, tools);
      });
      tools.progress(`${runs} runs handed in`);
      const done = await ended(world, tools, tasks, runs);
      const total = performance.now() - began;
      const bad = done.filter(({ status }) => status !== 'succeeded');
      ensureEqual(
        'The runs that did not succeed',
        bad.length,
        0,
        see(world, tools, 'pao run list --status failed'),
        {
          bad: bad.slice(0, 3),
        },
      );
      const numbers = new Set(done.map(({ params }) => params['n']));
      ensureEqual('The different runs', numbers.size, runs, see(world, tools, 'pao run list'));
      const took = done.map((run) => Date.parse(run.finished_at ?? '') - Date.parse(run.created_at));
      return measureOf(took, total);
    },
  ),
  scenario('load.api', 'The API answers reads quickly while it is busy', async (world, tools) => {
    const { reads } = SIZE[world.options.profile];
    const took: number[] = [];
    const began = performance.now();
    await inParallel(reads, async () => {
      const asked = performance.now();
      await world.client.listTasks({ limit: 20, signal: tools.signal });
      took.push(performance.now() - asked);
    });
    return measureOf(took, performance.now() - began);
  }),
];

/** Does something so many times, a few at once. */
async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}

/** Every run of the tasks, once all have ended. */
async function ended(
  world: World,
  tools: CheckTools,
  tasks: TaskObject[],
  count: number,
): Promise<RunObject[]> {
  const { client } = world;
  const { signal } = tools;
  let open = count;
  await until(
    'all runs to end',
    async () => {
      const open_runs = await Promise.all(
        tasks.map(({ id }) => client.listRuns({ taskId: id, status: 'queued,running', limit: 1, signal })),
      );
      open = open_runs.filter(({ items }) => items.length > 0).length;
      return open === 0;
    },
    {
      signal,
      // The check's own time bounds it.
      timeoutMs: Infinity,
      hint: see(world, tools, 'pao run list --status queued'),
    },
  );
  const found: RunObject[] = [];
  for (const { id } of tasks) {
    for await (const run of pages((cursor) => client.listRuns({ taskId: id, limit: 100, cursor, signal }))) {
      found.push(run);
    }
  }
  ensureEqual('The number of runs', found.length, count, see(world, tools, 'pao run list'));
  return found;
}
