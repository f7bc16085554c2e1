import { METRIC_PREFIX } from '../../domain/observability/catalogue.js';
import type { Check, CheckTools } from '../check.js';
import { ensure } from '../ensure.js';
import { endOf, ensureRun, makeTask, steps } from '../make.js';
import { type ObservedSystem, readMetrics, scrape, valueOf } from './context.js';

/**
 * What telemetry may cost, CPU time and counts: neither depends on how busy the machine is otherwise. Several times what
 * was measured (README), so that a slow machine passes and a mistake of an order of magnitude does not.
 */
export const COST_BOUNDS = {
  /** A movement of a metric, and a log line, microseconds. */
  movement_us: 25,
  line_us: 400,
  /** A scrape of everything, milliseconds. */
  scrape_ms: 60,
  /** For one run of one step at the level debug, with the requests that asked for it and after it. */
  movements_per_run: 200,
  lines_per_run: 20,
  log_bytes_per_run: 8192,
  /** All of it for one run, milliseconds. */
  run_ms: 3,
} as const;

const RUNS = 60;
const SCRAPES = 20;

/** What it costs that a system says what it does. */
export const costChecks: Check<ObservedSystem>[] = [
  {
    id: 'cost.load',
    title: 'Metrics and logs stay within their bound of CPU time, lines and bytes while many runs go on',
    group: 'Cost',
    requires: ['ephemeral-server'],
    isExclusive: true,
    async run(live, tools) {
      const task = await makeTask(live, tools, steps({ id: 'echo', uses: 'debug.echo' }));
      const load = await underLoad(live, tools, task.id);
      const { movement_us, line_us } = await live.telemetryCost();
      const scrape_ms = await scrapeCost(live, tools);
      const measured = {
        movement_us,
        line_us,
        scrape_ms,
        ...load,
        run_ms: round((load.movements_per_run * movement_us + load.lines_per_run * line_us) / 1000),
      };
      const above = Object.entries(COST_BOUNDS).filter(
        ([name, bound]) => measured[name as keyof typeof COST_BOUNDS] > bound,
      );
      ensure(
        above.length === 0,
        `Above the bound: ${above.map(([name, bound]) => `${name} ${measured[name as keyof typeof COST_BOUNDS]} of ${bound}`).join(', ')}.`,
        tools.rerun,
        { measured, bounds: COST_BOUNDS },
      );
      return { measured, bounds: COST_BOUNDS };
    },
  },
];

/** Has many runs done at once, and looks at what was said about each. */
async function underLoad(live: ObservedSystem, tools: CheckTools, taskId: string) {
  const look = async () => {
    const log = live.own?.readLog() ?? '';
    return {
      movements: movementsOf(await readMetrics(live, tools.signal)),
      lines: log.split('\n').length - 1,
      bytes: Buffer.byteLength(log),
    };
  };
  const before = await look();
  const runs = await Promise.all(Array.from({ length: RUNS }, () => live.client.runTask(taskId, {}, tools)));
  for (const { id } of runs) ensureRun(live, tools, await endOf(live, tools, id), 'succeeded');
  const after = await look();
  return {
    movements_per_run: round((after.movements - before.movements) / RUNS),
    lines_per_run: round((after.lines - before.lines) / RUNS),
    log_bytes_per_run: Math.round((after.bytes - before.bytes) / RUNS),
  };
}

/** How often a metric of ours was moved: what counters rose by, and how many values histograms were given. */
function movementsOf(families: Awaited<ReturnType<typeof readMetrics>>): number {
  let sum = 0;
  for (const { name, type, samples } of families.values()) {
    if (!name.startsWith(METRIC_PREFIX)) continue;
    for (const one of samples)
      if (type === 'counter' || (type === 'histogram' && one.name === `${name}_count`)) sum += one.value;
  }
  return sum;
}

/** CPU time of one scrape in the API, its reading of the store included, milliseconds. */
async function scrapeCost(live: ObservedSystem, { signal }: CheckTools): Promise<number> {
  const cpu = async () => valueOf(await readMetrics(live, signal), 'process_cpu_seconds_total', {});
  const before = await cpu();
  for (let index = 0; index < SCRAPES; index++) await scrape(live, signal);
  return round((((await cpu()) - before) * 1000) / (SCRAPES + 1));
}

const round = (value: number) => Math.round(value * 100) / 100;
