import { DateTime } from 'luxon';
import { tryParseDuration } from '../../domain/duration.js';
import { invalidInput } from '../../domain/errors.js';

const DAY_OR_INSTANT = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * An instant as RFC 3339 UTC, from how long ago it was (`2h`, `7d`) or the instant itself (`2026-11-24`, on this machine's clock).
 * @param examples what to write instead, for the error.
 * @throws PaoError exit 2 when it is neither.
 */
export function instantBefore(
  text: string,
  now: number,
  examples: string[] = ['--since 2h', '--since 2026-11-24T06:30:00Z'],
): string {
  const ago = tryParseDuration(text);
  if (ago !== null) return new Date(now - ago).toISOString();
  // A date alone would be read as UTC, and a date with a time as local: both are meant on this machine's clock.
  const written = text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T');
  const at = DAY_OR_INSTANT.test(text) && isDay(text.slice(0, 10)) ? Date.parse(written) : Number.NaN;
  if (!Number.isNaN(at)) return new Date(at).toISOString();
  throw invalidInput(`"${text.slice(0, 40)}" is no time.`, [], examples);
}

/** `Date.parse` takes 31 November for 1 December. */
const isDay = (text: string): boolean => DateTime.fromISO(text, { zone: 'utc' }).isValid;
