/** Key in `meta` under which it stands that occurrences were missed of which people are still to be told. */
export const MISSED_KEY = 'missed';

/** When rows `missed` were written of which people are still to be told, epoch milliseconds. */
export interface MissedMark {
  since: number;
  until: number;
}

export const readMissed = (text: string): MissedMark => JSON.parse(text) as MissedMark;

/** The mark with one more moment at which such rows were written. @param before the mark until now. */
export function withMissed(before: string | null, now: number): string {
  const since = before === null ? now : readMissed(before).since;
  const mark: MissedMark = { since: Math.min(since, now), until: now };
  return JSON.stringify(mark);
}
