import type { PublishedEvent } from './event.js';
import { evaluateCondition } from './pipeline/template.js';

/** What an expression of an event schedule sees. */
export const eventView = ({ topic, payload }: Pick<PublishedEvent, 'topic' | 'payload'>) => ({
  topic,
  payload,
  event: { topic, payload },
});

/** Whether an event gets through the filter of a schedule. @throws TemplateError when the expression has no answer. */
export function passesFilter(
  filter: string | undefined,
  event: Pick<PublishedEvent, 'topic' | 'payload'>,
): boolean {
  return filter === undefined || evaluateCondition(filter, eventView(event));
}
