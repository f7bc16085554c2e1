import ICAL from 'ical.js';
import { PaoError } from '../domain/errors.js';

/** One event of one day, as `list_events` answers it. */
export interface CalendarItem {
  /** The UID; for an event that repeats, with the instant of this occurrence. */
  id: string;
  summary: string;
  /** RFC 3339 UTC, or a plain date for an event that lasts all day. */
  start: string;
  /** As `start`; the first moment or day after the event. */
  end: string;
  all_day: boolean;
  location?: string;
}

/** A rule such as FREQ=SECONDLY must not keep the server busy for ever. */
const MAX_OCCURRENCES_SEEN = 100_000;

/**
 * Lists what happens in a calendar between two instants: events that repeat are expanded, EXDATE and moved occurrences
 * are honoured (RFC 5545). All-day events lie in the calendar's own zone (the VTIMEZONE that `X-WR-TIMEZONE` names, else
 * the first one, else UTC). Sorted by start; all-day events come first.
 * @param source text of an .ics file.
 * @param window instants, epoch milliseconds; the end is exclusive.
 * @throws PaoError PAO_CALENDAR_INVALID when the text is not iCalendar.
 */
export function listEvents(
  source: string,
  window: { start: number; end: number; max: number },
): CalendarItem[] {
  const calendar = parseCalendar(source);
  const zone = calendarZone(calendar);
  const items: (CalendarItem & { at: number })[] = [];
  for (const component of calendar.getAllSubcomponents('vevent')) {
    const event = new ICAL.Event(component);
    // A moved occurrence is reported by the event it belongs to.
    if (event.isRecurrenceException()) continue;
    if (!event.isRecurring()) {
      collect({ id: event.uid, event, start: event.startDate, end: event.endDate });
      continue;
    }
    const iterator = event.iterator();
    for (
      let seen = 0, next = iterator.next();
      next && seen < MAX_OCCURRENCES_SEEN;
      seen++, next = iterator.next()
    ) {
      // An exception may move an occurrence by up to a day forward, so look a little past the end.
      if (instant(next, zone) >= window.end + 86_400_000) break;
      const details = event.getOccurrenceDetails(next);
      const id = `${event.uid}/${next.isDate ? next.toString() : new Date(instant(next, zone)).toISOString()}`;
      collect({ id, event: details.item, start: details.startDate, end: details.endDate });
    }
  }
  items.sort(
    (a, b) => a.at - b.at || Number(b.all_day) - Number(a.all_day) || (a.summary < b.summary ? -1 : 1),
  );
  return items.slice(0, window.max).map(({ at: _at, ...item }) => item);

  function collect(found: { id: string; event: ICAL.Event; start: ICAL.Time; end: ICAL.Time }): void {
    const status = found.event.component.getFirstPropertyValue('status');
    const at = instant(found.start, zone);
    const until = instant(found.end, zone);
    const overlaps = at < window.end && (until > window.start || (until === at && at >= window.start));
    if (!overlaps || status === 'CANCELLED') return;
    const allDay = found.start.isDate;
    const write = (time: ICAL.Time, ms: number): string => (allDay ? time.toString() : rfc3339(ms));
    items.push({
      at,
      id: found.id,
      summary: found.event.summary ?? '(no title)',
      start: write(found.start, at),
      end: write(found.end, until),
      all_day: allDay,
      ...(found.event.location ? { location: found.event.location } : {}),
    });
  }
}

const rfc3339 = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

function parseCalendar(source: string): ICAL.Component {
  try {
    const component = new ICAL.Component(ICAL.parse(source));
    if (component.name !== 'vcalendar') throw new Error(`it begins with ${component.name}`);
    for (const zone of component.getAllSubcomponents('vtimezone')) ICAL.TimezoneService.register(zone);
    return component;
  } catch (error) {
    throw new PaoError('PAO_CALENDAR_INVALID', `The calendar is not iCalendar: ${(error as Error).message}`, {
      exitCode: 2,
      cause: error,
    });
  }
}

function calendarZone(calendar: ICAL.Component): ICAL.Timezone {
  const named = calendar.getFirstPropertyValue('x-wr-timezone');
  const zones = calendar.getAllSubcomponents('vtimezone').map((component) => new ICAL.Timezone(component));
  return zones.find((zone) => zone.tzid === named) ?? zones[0] ?? ICAL.Timezone.utcTimezone;
}

/** A date and a time without zone mean the calendar's zone, whatever the zone of this process. */
function instant(time: ICAL.Time, zone: ICAL.Timezone): number {
  const isFloating = time.isDate || time.zone === ICAL.Timezone.localTimezone;
  if (!isFloating) return time.toUnixTime() * 1000;
  const { year, month, day, hour, minute, second } = time;
  return (
    ICAL.Time.fromData({ year, month, day, hour, minute, second, isDate: false }, zone).toUnixTime() * 1000
  );
}
