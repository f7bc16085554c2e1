import { type Child, h } from './dom.js';
import { facts, json } from './ui.js';

/** Whether data is names with simple values: then it is read and changed without braces. */
export const isFlat = (data: unknown): data is Record<string, unknown> =>
  typeof data === 'object' &&
  data !== null &&
  !Array.isArray(data) &&
  Object.values(data).every((value) => value === null || typeof value !== 'object');

/** What is to be approved, to be read. */
export function shownData(data: unknown): Child {
  if (typeof data === 'string') return h('p', { class: 'text' }, data);
  if (!isFlat(data)) return json(data);
  return facts(
    Object.entries(data).map(([name, value]) => [name, h('span', { class: 'text' }, String(value))] as const),
  );
}
