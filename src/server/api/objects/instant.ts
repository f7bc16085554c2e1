import { z } from 'zod';

/** RFC 3339 UTC with `Z`; milliseconds only where there are any. */
export function instant(at: number): string {
  const text = new Date(at).toISOString();
  return text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
}

export const instantOrNull = (at: number | null): string | null => (at === null ? null : instant(at));

/** How instants look in answers. */
export const instantSchema = z.iso.datetime().describe('RFC 3339, UTC');

/** How a caller may write an instant: RFC 3339 with an offset; gives epoch milliseconds. */
export const instantInput = z.iso
  .datetime({ offset: true, error: 'must be an RFC 3339 instant such as 2026-11-24T06:30:00Z' })
  .transform((text) => Date.parse(text));
