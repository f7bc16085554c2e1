/** Key in `meta` under which it stands that occurrences were missed of which people are still to be told. */
export const MISSED_KEY = 'missed';

/** When rows `missed` were written of which people are still to be told, epoch milliseconds. */
export interface MissedMark {
  since: number;
  until: number;
}

export const readMissed = (text: string): MissedMark => JSON.parse(text) as MissedMark;

/**
 * The mark with one more moment at which such rows were written.
 * @param before the mark until now.
 * @param now may be before it: servers have clocks of their own, and who began first need not write first.
 */
export function withMissed(before: string | null, now: number): string {
  const { since, until } = before === null ? { since: now, until: now } : readMissed(before);
  const mark: MissedMark = { since: Math.min(since, now), until: Math.max(until, now) };
  return JSON.stringify(mark);
}
