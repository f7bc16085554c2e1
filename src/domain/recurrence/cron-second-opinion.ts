import { isoInstant } from './zone-format.js';

/**
 * The instants croner, an independent engine, gives for a cron expression, epoch milliseconds. For checks that two
 * engines agree (`pao validate scheduler`); nothing is scheduled by it. They differ by design where a gap ends at
 * midnight: croner leaves the run out, ours fires at the end of the gap.
 * @throws whatever croner throws on an expression it does not accept.
 */
export async function cronSecondOpinion(
  expr: string,
  tzid: string,
  after: number,
  count: number,
): Promise<number[]> {
  const { Cron } = await import('croner');
  const cron = new Cron(expr, {
    paused: true,
    mode: '5-or-6-parts',
    fixedTimeRule: 'no-wildcard',
    timezone: tzid,
  });
  return cron.nextRuns(count, isoInstant(after)).map((date) => date.getTime());
}
