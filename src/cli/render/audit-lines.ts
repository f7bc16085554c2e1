import type { AuditObject } from '../../client/api-objects.js';
import type { Column } from '../table.js';
import { machineTime } from './task-time.js';

/** Who did something: the name of the agent, where it has one. */
export const actorText = ({ actor, actor_name: name }: AuditObject): string => name ?? actor;

/** The columns of the audit log. */
export const AUDIT_COLUMNS: readonly Column<AuditObject>[] = [
  { header: 'NO', value: ({ sequence }) => sequence, align: 'right' },
  { header: 'WHEN', value: ({ at }) => machineTime(at) },
  { header: 'WHO', value: actorText },
  { header: 'WHAT', value: ({ action }) => action },
  { header: 'OF WHICH', value: ({ target, details }) => nameIn(details) ?? target },
  { header: 'DETAILS', value: ({ details }) => detailsText(details), shrink: true },
];

function nameIn(details: AuditObject['details']): string | null {
  const { name } = details;
  return typeof name === 'string' ? name : null;
}

function detailsText(details: AuditObject['details']): string | null {
  const parts = Object.entries(details)
    .filter(([key, value]) => value !== null && !(key === 'name' && typeof value === 'string'))
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return parts.length === 0 ? null : parts.join(' ');
}
