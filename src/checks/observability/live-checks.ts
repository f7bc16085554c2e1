import type { HealthReport } from '../../domain/health.js';
import type { Check, CheckTools } from '../check.js';
import { ensure } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { endOf, ensureRun, makeTask, steps } from '../make.js';
import { probe } from '../probe.js';
import { signalProcess } from '../process-tree.js';
import { until } from '../until.js';
import { type ObservedSystem, readMetrics, valueOf } from './context.js';

/** Longer than a process may be silent, and than its heartbeats are apart. */
const SILENCE_MS = 30_000;
const BACKLOG = 3;

/** What is shown while a part of the system stands still or is killed: on a second system, whose clock can be put ahead. */
export const liveChecks: Check<ObservedSystem>[] = [
  {
    id: 'workers.heartbeat',
    title:
      'A worker that is silent is seen by its heartbeat, by its absence, and by health, until it is back',
    group: 'Workers',
    requires: ['ephemeral-server'],
    isDisruptive: true,
    isExclusive: true,
    async run({ withClock }, tools) {
      const live = await withClock();
      const look = async () => {
        const [families, health] = await Promise.all([
          readMetrics(live, tools.signal),
          probe(`${live.url}/health`, { token: live.token, signal: tools.signal }),
        ]);
        const { status, checks } = health.body as HealthReport;
        return {
          active: valueOf(families, 'orchestrator_active_workers', {}),
          heartbeat: valueOf(families, 'orchestrator_worker_last_heartbeat_timestamp_seconds', {
            worker: 'w1',
          }),
          health: status,
          workers: checks.find(({ name }) => name === 'workers')?.status,
        };
      };
      const isWell = (one: Awaited<ReturnType<typeof look>>) =>
        one.active === 1 && one.heartbeat > 0 && one.workers === 'pass' && one.health !== 'unhealthy';
      const before = await seen(live, tools, 'the heartbeat of a worker', look, isWell);
      const silent = await holdingWorker(live, tools, async () => {
        await live.own?.advance(SILENCE_MS);
        return seen(
          live,
          tools,
          'a silent worker to be missed',
          look,
          ({ active, health, workers }) => active === 0 && workers === 'fail' && health === 'unhealthy',
        );
      });
      const after = await seen(
        live,
        tools,
        'the worker to be back',
        look,
        (one) => isWell(one) && one.heartbeat > silent.heartbeat,
      );
      return { before, silent, after };
    },
  },
  {
    id: 'queue.backlog',
    title: 'Queue depth and scheduler lag follow a backlog, up and down again',
    group: 'Queue',
    requires: ['ephemeral-server'],
    isDisruptive: true,
    isExclusive: true,
    async run({ withClock }, tools) {
      const live = await withClock();
      const look = async () => {
        const families = await readMetrics(live, tools.signal);
        return {
          depth: valueOf(families, 'orchestrator_due_work_queue_depth', {}),
          lag_seconds: valueOf(families, 'orchestrator_scheduler_lag_seconds', {}),
        };
      };
      const tasks = await Promise.all(
        Array.from({ length: BACKLOG }, () =>
          makeTask(live, tools, steps({ id: 'echo', uses: 'debug.echo' })),
        ),
      );
      const before = await seen(live, tools, 'an empty queue', look, ({ depth }) => depth === 0);
      const runs: string[] = [];
      const backlog = await holdingWorker(live, tools, async () => {
        for (const { id } of tasks) runs.push((await live.client.runTask(id, {}, tools)).id);
        await live.own?.advance(SILENCE_MS);
        return seen(
          live,
          tools,
          `a backlog of ${BACKLOG} that is ${SILENCE_MS / 1000} s old`,
          look,
          ({ depth, lag_seconds }) => depth === BACKLOG && lag_seconds >= SILENCE_MS / 1000,
        );
      });
      for (const id of runs) ensureRun(live, tools, await endOf(live, tools, id), 'succeeded');
      const after = await seen(
        live,
        tools,
        'the backlog to be gone',
        look,
        ({ depth, lag_seconds }) => depth === 0 && lag_seconds < 1,
      );
      return { before, backlog, after };
    },
  },
  {
    id: 'counters.kept',
    title: 'No counter falls when a worker is killed, and its restart is counted',
    group: 'Workers',
    requires: ['ephemeral-server'],
    isDisruptive: true,
    isExclusive: true,
    async run({ withClock }, tools) {
      const live = await withClock();
      const task = await makeTask(live, tools, steps({ id: 'echo', uses: 'debug.echo' }));
      const counted = (name: string, labels: Record<string, string>) => async () =>
        valueOf(await readMetrics(live, tools.signal), name, labels);
      const stepsOf = counted('orchestrator_step_success_total', { tool: 'debug.echo' });
      const crashes = counted('orchestrator_worker_restarts_total', { reason: 'crash' });
      const runsOf = counted('orchestrator_runs_total', { outcome: 'succeeded', trigger: 'manual' });
      const first = [await stepsOf(), await runsOf()] as const;
      const run = await live.client.runTask(task.id, {}, tools);
      ensureRun(live, tools, await endOf(live, tools, run.id), 'succeeded');
      await seen(
        live,
        tools,
        'the run and its step to be counted',
        async () => [await stepsOf(), await runsOf()] as const,
        ([step, ended]) => step > first[0] && ended > first[1],
      );
      const crashed = await crashes();
      const before = await counters(live, tools.signal);
      signalProcess(await workerOf(live, tools), 'SIGKILL');
      await seen(live, tools, 'the restart to be counted', crashes, (value) => value === crashed + 1);
      const again = await live.client.runTask(task.id, {}, tools);
      ensureRun(live, tools, await endOf(live, tools, again.id), 'succeeded');
      const after = await counters(live, tools.signal);
      const fallen = [...before].filter(([series, value]) => (after.get(series) ?? 0) < value);
      ensure(
        fallen.length === 0,
        `Counters fell when a worker was killed: ${fallen.map(([series]) => series).join(', ')}.`,
        tools.rerun,
        { fallen },
      );
      return { counters: before.size, restarts: crashed + 1 };
    },
  },
];

/** Waits for what is looked at to be so, and says what it was in the end when it never is. */
async function seen<T>(
  live: LiveSystem,
  { signal, rerun }: CheckTools,
  what: string,
  look: () => Promise<T>,
  isSo: (value: T) => boolean,
): Promise<T> {
  let last: T | undefined;
  await until(what, async () => isSo((last = await look())), {
    signal,
    timeoutMs: live.patienceMs,
    hint: rerun,
    seen: () => ({ last }),
  });
  return last as T;
}

/** The worker of now: one that was killed has a successor. */
function workerOf(live: LiveSystem, { signal, rerun }: CheckTools): Promise<number> {
  return until(
    'a worker that is alive',
    async () => {
      const alive = live.own?.descendants() ?? [];
      const path = '/v1/workers';
      const { items } = await live.client.request<{ items: { kind: string; pid: number }[] }>({
        method: 'GET',
        path,
        signal,
      });
      return items.find(({ kind, pid }) => kind === 'worker' && alive.includes(pid))?.pid;
    },
    { signal, timeoutMs: live.patienceMs, hint: rerun },
  );
}

/** Lets the worker stand still meanwhile. */
async function holdingWorker<T>(live: LiveSystem, tools: CheckTools, work: () => Promise<T>): Promise<T> {
  const pid = await workerOf(live, tools);
  signalProcess(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    signalProcess(pid, 'SIGCONT');
  }
}

/** Every series that only ever grows. */
async function counters(live: LiveSystem, signal: AbortSignal): Promise<Map<string, number>> {
  const families = await readMetrics(live, signal);
  return new Map(
    [...families]
      .filter(([name, { type }]) => type === 'counter' && name.startsWith('orchestrator_'))
      .flatMap(([, { samples }]) =>
        samples.map(({ name, labels, value }) => [`${name}${JSON.stringify(labels)}`, value] as const),
      ),
  );
}
