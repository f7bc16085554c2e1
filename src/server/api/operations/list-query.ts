import { z } from 'zod';
import { parseDuration } from '../../../domain/duration.js';
import { invalidInput } from '../../../domain/errors.js';
import { nearest } from '../../../domain/nearest.js';
import { durationText } from '../../../domain/schedule.js';

/** The query every list takes. */
export const pageQuery = {
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  cursor: z.string().max(500).optional(),
};

/** An instant with its offset. */
export const timeText = z.iso.datetime({
  offset: true,
  error: 'is not an RFC 3339 time with an offset or Z, such as 2026-11-24T06:30:00Z',
});

/** Statuses separated by commas. @throws PaoError 422 */
export function listOf<T extends string>(
  text: string | undefined,
  allowed: readonly T[],
  name: string,
): T[] | undefined {
  if (text === undefined) return undefined;
  const values = text.split(',').map((part) => part.trim());
  const wrong = values.find((value) => !(allowed as readonly string[]).includes(value));
  if (wrong !== undefined) {
    const near = nearest(wrong, allowed);
    throw invalidInput(`"${wrong.slice(0, 40)}" is not a ${name}.`, [
      {
        pointer: `/${name}`,
        message: `is none of ${allowed.join(', ')}`,
        ...(near === null ? {} : { hint: `Did you mean ${near}?` }),
      },
    ]);
  }
  return values as T[];
}

/** How long an answer may be held back until a run has ended: a duration, a minute at most. */
export const waitQuery = durationText(0)
  .transform((text) => Math.min(60_000, parseDuration(text)))
  .optional();
