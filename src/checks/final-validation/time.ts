import type { RunObject } from '../../client/api-objects.js';
import type { Check, CheckTools } from '../check.js';
import { ensureEqual } from '../ensure.js';
import { endOf, makeTask, runsOf, steps } from '../make.js';
import { liveOf } from './briefing.js';
import type { World } from './world.js';

const group = 'Time';
const HOUR_MS = 3_600_000;

type Catchup = { policy: 'latest' | 'all' | 'skip'; window: string };

/** A daily task sleeps through some of its occurrences; what becomes of them is the policy's to say. */
function sleep(
  id: string,
  title: string,
  given: { days: number; catchup: Catchup; expected: string[] },
): Check<World> {
  return {
    id,
    title,
    group,
    requires: ['ephemeral-server'],
    // They move the clock of the briefing's system, so each has it for itself, and after the briefing.
    needs: ['briefing.delivered'],
    isExclusive: true,
    timeoutMs: 60_000,
    async run(world, tools) {
      const runs = await runsAfterSleep(world, tools, given);
      const seen = runs.map(({ status, reason, trigger }) =>
        [status, reason, trigger].filter(Boolean).join(' '),
      );
      ensureEqual('What became of the occurrences', seen, given.expected, tools.rerun, { runs });
      return { occurrences: runs.map((run, index) => `${run.scheduled_for} ${seen[index]}`) };
    },
  };
}

async function runsAfterSleep(
  world: World,
  tools: CheckTools,
  { days, catchup, expected }: { days: number; catchup: Catchup; expected: string[] },
): Promise<RunObject[]> {
  const briefing = await world.briefing(tools);
  const live = liveOf(world, briefing);
  // Due an hour from the system's now, every day.
  const hour = new Date((await briefing.now()) + HOUR_MS).getUTCHours();
  const task = await makeTask(live, tools, {
    ...steps({ id: 'echo', uses: 'debug.echo', with: { day: '${run.local_date}' } }),
    schedule: { kind: 'cron', expr: `0 ${hour} * * *`, timezone: 'UTC', catchup },
  });
  await briefing.system.advance((days - 1) * 24 * HOUR_MS + 4 * HOUR_MS);
  const runs = await runsOf(live, tools, task, expected.length);
  const ended = await Promise.all(runs.map(({ id }) => endOf(live, tools, id)));
  await live.client.cancelTask(task.id, tools);
  return ended;
}

/** What happens to occurrences while the machine sleeps. */
export const timeChecks: Check<World>[] = [
  sleep('time.missed', 'An occurrence too long ago is not run, and a row says why', {
    days: 1,
    catchup: { policy: 'latest', window: '1h' },
    expected: ['missed catchup_window schedule'],
  }),
  sleep('time.caught_up', 'A short sleep is caught up', {
    days: 1,
    catchup: { policy: 'latest', window: '6h' },
    expected: ['succeeded catchup'],
  }),
  sleep('time.latest', 'After three days only the latest is run; the others have rows that say why', {
    days: 3,
    catchup: { policy: 'latest', window: '100h' },
    expected: ['missed catchup_latest schedule', 'missed catchup_latest schedule', 'succeeded catchup'],
  }),
];
