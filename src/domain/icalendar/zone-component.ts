import ICAL from 'ical.js';
import { formatInZone, localParts, zoneTransitions } from '../recurrence/index.js';

/** The VTIMEZONE of an IANA zone, with every change of its clock between two instants (epoch milliseconds). */
export function zoneComponent(tzid: string, from: number, to: number): ICAL.Component {
  const component = new ICAL.Component('vtimezone');
  component.addPropertyWithValue('tzid', tzid);
  const changes = zoneTransitions(tzid, from, to);
  const first = localParts(tzid, from).offset;
  // What is in force at the beginning, and the only thing in a zone that never changes.
  addObservance(component, tzid, { at: Math.floor(from / 1000), before: first, after: first });
  for (const change of changes) addObservance(component, tzid, change);
  return component;
}

function addObservance(
  component: ICAL.Component,
  tzid: string,
  { at, before, after }: { at: number; before: number; after: number },
): void {
  const observance = new ICAL.Component(after > before ? 'daylight' : 'standard');
  // RFC 5545 section 3.6.5: local time, by the offset that was in force until then.
  const start = new Date((at + before) * 1000).toISOString().slice(0, 19);
  observance.addPropertyWithValue('dtstart', ICAL.Time.fromDateTimeString(start));
  observance.addPropertyWithValue('tzoffsetfrom', ICAL.UtcOffset.fromSeconds(before));
  observance.addPropertyWithValue('tzoffsetto', ICAL.UtcOffset.fromSeconds(after));
  observance.addPropertyWithValue('tzname', formatInZone(tzid, at * 1000, 'iso').slice(19) || 'Z');
  component.addSubcomponent(observance);
}
