import { DateTime } from 'luxon';
import { tryParseDuration } from '../../domain/duration.js';
import { instantBefore } from './run-since.js';

/**
 * An instant: how long after `base` (`7d`), a date (its midnight) or time on the clock of a zone, or RFC 3339.
 * @param zone IANA; the one of this machine when left out.
 * @param examples what to write instead, for the error.
 * @returns epoch milliseconds. @throws PaoError exit 2 when it is none of these.
 */
export function momentOf(
  text: string,
  base: number,
  zone: string | null | undefined,
  examples = ['--from 2027-03-27 --to 7d', '--from 2027-03-27T06:30:00Z'],
): number {
  const later = tryParseDuration(text);
  return later === null ? Date.parse(momentBefore(text, base, zone, examples)) : base + later;
}

/** As {@link momentOf}, with `7d` for how long before `base`. @returns RFC 3339 UTC. */
export function momentBefore(
  text: string,
  base: number,
  zone: string | null | undefined,
  examples: string[],
): string {
  if (typeof zone === 'string' && isLocal(text)) {
    const at = DateTime.fromISO(text.replace(' ', 'T'), { zone });
    if (at.isValid) return new Date(at.toMillis()).toISOString();
  }
  return instantBefore(text, base, examples);
}

/** Whether a time is on some clock, and does not say on which. */
export const isLocal = (text: string): boolean => /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$/.test(text);
