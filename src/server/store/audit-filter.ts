import type { AuditQuery } from './store.js';

/** How many records one page looks at. */
export const AUDIT_SCAN = 10_000;

/**
 * The conditions of a query in SQL that both engines read.
 * @param place what stands for the next value.
 * @param from whether a record is of that time or later; `inText`: whether the first text holds the second.
 */
export function auditConditions(
  { actor, action, object, since }: AuditQuery,
  place: (value: unknown) => string,
  { from, inText }: { from: (since: string) => string; inText: (text: string, part: string) => string },
): string {
  const conditions: string[] = [];
  if (actor !== undefined) conditions.push(`actor = ${place(actor)}`);
  if (action?.endsWith('*') === true) {
    const start = action.slice(0, -1);
    conditions.push(`substr(action, 1, ${start.length}) = ${place(start)}`);
  } else if (action !== undefined) conditions.push(`action = ${place(action)}`);
  // Details are kept as JSON without spaces.
  if (object !== undefined)
    conditions.push(
      `(target = ${place(object)} OR ${inText('details', place(`"name":${JSON.stringify(object)}`))})`,
    );
  if (since !== undefined) conditions.push(from(place(since)));
  return conditions.map((one) => ` AND ${one}`).join('');
}

/** Where the next page begins: after the last record of this one, or where looking ended. null at the end of the log. */
export function nextAuditPage(
  rows: readonly { sequence: number }[],
  limit: number,
  floor: number,
): number | null {
  if (rows.length > limit) return (rows[limit - 1] as { sequence: number }).sequence;
  return floor > 1 ? floor : null;
}
