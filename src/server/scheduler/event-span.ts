import { parseDuration } from '../../domain/duration.js';
import type { EventSchedule } from '../../domain/schedule.js';
import type { EventWindow } from '../store/store.js';

/** A span, beginning at an instant, in which the event of `absent` must come. */
export function spanFrom(
  schedule: EventSchedule,
  key: string,
  at: number,
  eventIds: string[] = [],
): EventWindow {
  const { within } = schedule.absent as NonNullable<EventSchedule['absent']>;
  return {
    key,
    kind: 'absent',
    openedAt: at,
    closesAt: at + parseDuration(within),
    count: eventIds.length,
    size: 0,
    eventIds,
  };
}
