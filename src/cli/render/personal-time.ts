import { formatInZone } from '../../domain/recurrence/index.js';

/** A local time with its offset (`2026-11-24T09:00:00+02:00`) for people: `Tue 24 Nov 2026 09:00 +02:00`. */
export function personalTime(local: string): string {
  const offset = local.slice(19);
  return `${formatInZone('UTC', Date.parse(`${local.slice(0, 19)}Z`))} ${offset}`;
}
