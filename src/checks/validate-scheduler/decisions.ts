import type { TaskInput } from '../../domain/task.js';
import { type Check, CheckFailure, type Evidence } from '../check.js';
import type { SchedulerProof } from './proof.js';
import type { LedgerRow, Simulation } from './simulation.js';

const group = 'Decisions';
const START = '2026-11-24T00:30:00Z';
const HINT = 'npm install pao@latest; pao validate scheduler --only decisions.* --verbose shows the rows';

function hourly(more: object): TaskInput {
  return {
    name: 'hourly',
    schedule: { kind: 'cron', expr: '0 * * * *', timezone: 'UTC', ...more },
    pipeline: [{ id: 'echo', uses: 'debug.echo' }],
  } as TaskInput;
}

/** A row as the checks write it: `05:00 queued catchup`, `03:00 missed catchup_latest`. */
const short = ({ at, status, reason, trigger }: LedgerRow): string =>
  `${at.slice(11, 16)} ${status} ${reason ?? trigger}`;

/** Lets something happen to a task and compares every row of its ledger. */
async function ledger(
  { simulate }: SchedulerProof,
  schedule: object,
  happens: (simulation: Simulation) => Promise<void>,
  wanted: readonly string[],
  what: string,
): Promise<Evidence> {
  const simulation = await simulate({ task: hourly(schedule), start: START });
  try {
    await happens(simulation);
    const rows = (await simulation.rows()).map(short);
    if (rows.join() === wanted.join()) return { [what]: rows };
    throw new CheckFailure(
      `${what}: the ledger says ${rows.join(', ') || 'nothing'}; expected ${wanted.join(', ')}.`,
      HINT,
      { schedule, rows, wanted },
    );
  } finally {
    await simulation.close();
  }
}

const asleep = (simulation: Simulation): Promise<void> => simulation.passAt('2026-11-24T05:10:00Z');

/** Three hours in which the first run does not end. */
async function busy(simulation: Simulation): Promise<void> {
  await simulation.passAt('2026-11-24T01:00:00Z');
  await simulation.lease();
  await simulation.passAt('2026-11-24T02:00:00Z');
  await simulation.passAt('2026-11-24T03:00:00Z');
}

/** What the real scheduler makes of what came due. */
export const decisionChecks: Check<SchedulerProof>[] = [
  {
    id: 'decisions.once',
    title: 'Every occurrence is exactly one row, however often the scheduler looks',
    group,
    run: (proof) =>
      ledger(
        proof,
        {},
        async (simulation) => {
          for (const minute of ['01:00', '01:00', '01:30', '02:00', '02:00'])
            await simulation.passAt(`2026-11-24T${minute}:00Z`);
          await Promise.all([simulation.scheduler.runOnce(), simulation.scheduler.runOnce()]);
        },
        ['01:00 queued schedule', '02:00 skipped overlap'],
        'looking seven times',
      ),
  },
  {
    id: 'decisions.catch-up',
    title: 'What came due while nothing ran is caught up or recorded as missed, as the policy says',
    group,
    run: async (proof) => ({
      ...(await ledger(
        proof,
        { catchup: { policy: 'latest', window: '3h' } },
        asleep,
        [
          '01:00 missed catchup_window',
          '02:00 missed catchup_window',
          '03:00 missed catchup_latest',
          '04:00 missed catchup_latest',
          '05:00 queued catchup',
        ],
        'latest within 3h',
      )),
      ...(await ledger(
        proof,
        { catchup: { policy: 'all', max: 2 }, overlap: 'allow' },
        asleep,
        [
          '01:00 missed catchup_max',
          '02:00 missed catchup_max',
          '03:00 missed catchup_max',
          '04:00 queued catchup',
          '05:00 queued catchup',
        ],
        'all, 2 at most',
      )),
      ...(await ledger(
        proof,
        { catchup: { policy: 'skip' } },
        asleep,
        [
          '01:00 missed catchup_skip',
          '02:00 missed catchup_skip',
          '03:00 missed catchup_skip',
          '04:00 missed catchup_skip',
          '05:00 missed catchup_skip',
        ],
        'skip',
      )),
    }),
  },
  {
    id: 'decisions.overlap',
    title:
      'A run that is due while one runs is left out, queued, let through or put in its place, as the policy says',
    group,
    run: async (proof) => {
      let canceled = 0;
      const evidence = {
        ...(await ledger(
          proof,
          { overlap: 'skip' },
          busy,
          ['01:00 running schedule', '02:00 skipped overlap', '03:00 skipped overlap'],
          'skip',
        )),
        ...(await ledger(
          proof,
          { overlap: 'queue' },
          busy,
          ['01:00 running schedule', '02:00 queued schedule', '03:00 skipped overlap'],
          'queue',
        )),
        ...(await ledger(
          proof,
          { overlap: 'allow' },
          busy,
          ['01:00 running schedule', '02:00 queued schedule', '03:00 queued schedule'],
          'allow',
        )),
        ...(await ledger(
          proof,
          { overlap: 'cancel_previous' },
          async (simulation) => {
            await busy(simulation);
            canceled = simulation.canceling().length;
          },
          ['01:00 running schedule', '02:00 canceled overlap', '03:00 queued schedule'],
          'cancel_previous',
        )),
      };
      if (canceled > 0) return evidence;
      throw new CheckFailure(
        'With overlap cancel_previous the run that runs was not asked to stop.',
        HINT,
        evidence,
      );
    },
  },
];
