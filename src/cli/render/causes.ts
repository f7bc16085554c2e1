import type { CauseObject, EventLink, EventObject } from '../../client/api-objects.js';
import { jsonText } from '../json-text.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { paintStatus } from './run-lines.js';

/** The chain that led somewhere, the nearest first, each link under what it led to. */
export function showCauses(out: Output, causes: readonly CauseObject[]): void {
  if (causes.length === 0) return;
  const { paint } = out;
  out.line();
  out.line(paint.bold('because of'));
  for (const [depth, cause] of causes.entries()) {
    const what =
      cause.kind === 'event'
        ? `event ${visible(cause.topic)}`
        : `run of ${visible(cause.task_name)} (${cause.trigger}) ${paintStatus(cause.status, paint)}`;
    out.line(`${'  '.repeat(depth + 1)}${what}  ${paint.dim(`${cause.id}  ${cause.at}`)}`);
  }
}

/** Events under a heading; nothing when there is none. */
export function showEventLinks(out: Output, heading: string, events: readonly EventLink[]): void {
  if (events.length === 0) return;
  out.line();
  out.line(out.paint.bold(heading));
  for (const { id, topic, at } of events) out.line(`  ${visible(topic)}  ${out.paint.dim(`${id}  ${at}`)}`);
}

/** One event with all that is known of it. */
export function showEvent(out: Output, event: EventObject): void {
  const { paint } = out;
  out.line(paint.bold(visible(event.topic)));
  out.line();
  out.pairs(
    [
      ['id', event.id],
      ['published', event.created_at],
      ['worked off', event.dispatched_at ?? 'not yet'],
      ['by agent', event.agent_id],
      ...(event.dedupe_key === null ? [] : [['dedupe key', visible(event.dedupe_key)] as const]),
      ...(event.payload === null ? [] : [['payload', visible(jsonText(event.payload, 0))] as const]),
    ],
    '  ',
  );
  showCauses(out, event.causes ?? []);
  const runs = event.runs ?? [];
  if (runs.length === 0) return;
  out.line();
  out.line(paint.bold('it started'));
  for (const { id, task_name, status, reason } of runs) {
    const why = reason === null ? '' : ` (${visible(reason)})`;
    out.line(`  run of ${visible(task_name)} ${paintStatus(status, paint)}${why}  ${paint.dim(id)}`);
  }
}
