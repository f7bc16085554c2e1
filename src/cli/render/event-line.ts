import type { EventObject } from '../../client/api-objects.js';
import { jsonText } from '../json-text.js';
import type { Output } from '../output.js';

/** One event as one line: when, which topic, what it carries. */
export function eventLine(out: Output, event: EventObject): string {
  const payload =
    event.payload === null || event.payload === undefined ? '' : `  ${jsonText(event.payload, 0)}`;
  return `${out.paint.dim(event.created_at)}  ${out.paint.bold(event.topic)}${payload}`;
}
