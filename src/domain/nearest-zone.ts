import { z } from 'zod';
import { cut } from './errors.js';
import { nearest } from './nearest.js';
import { isTimeZone } from './recurrence/time-zone.js';

/** The IANA zone that was most likely meant: by its city alone, or mistyped; null when nothing is near. */
export function nearestZone(written: string): string | null {
  const zones = Intl.supportedValuesOf('timeZone');
  const city = `/${written.trim().replaceAll(' ', '_').toLowerCase()}`;
  return zones.find((zone) => zone.toLowerCase().endsWith(city)) ?? nearest(written, zones);
}

/** What to write instead of a zone that there is not. */
export function zoneHint(written: string): string {
  const near = nearestZone(written);
  return near === null ? 'Use an IANA name such as Europe/Chisinau or UTC' : `Did you mean ${near}?`;
}

/** The name of a time zone there is, in a schema. */
export const timeZoneText = z.string().superRefine((written, context) => {
  if (isTimeZone(written)) return;
  const message = `"${cut(written, 40)}" is not a time zone`;
  context.addIssue({ code: 'custom', message, params: { hint: zoneHint(written) } });
});
