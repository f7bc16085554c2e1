import { nearest } from './nearest.js';

/** The IANA zone that was most likely meant: by its city alone, or mistyped; null when nothing is near. */
export function nearestZone(written: string): string | null {
  const zones = Intl.supportedValuesOf('timeZone');
  const city = `/${written.trim().replaceAll(' ', '_').toLowerCase()}`;
  return zones.find((zone) => zone.toLowerCase().endsWith(city)) ?? nearest(written, zones);
}
