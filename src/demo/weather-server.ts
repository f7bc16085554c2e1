import { DateTime } from 'luxon';
import { type Clock, systemClock } from '../domain/clock.js';
import type { HttpFault } from './faults.js';
import {
  type DemoReply,
  type LoopbackServer,
  type ReceivedRequest,
  startLoopbackServer,
} from './loopback-server.js';

/** A temperature that is a word: what a broken upstream may send. */
export type WeatherFault = HttpFault | { kind: 'wrong_type' };

export interface WeatherServerOptions {
  port: number;
  clock?: Clock;
}

const CURRENT = { temperature_2m: -1.4, weather_code: 73, wind_speed_10m: 11.2 } as const;
const DAILY = {
  temperature_2m_min: -4.8,
  temperature_2m_max: 2.1,
  precipitation_probability_max: 85,
  weather_code: 73,
} as const;
const UNITS: Record<string, string> = {
  temperature_2m: '°C',
  temperature_2m_min: '°C',
  temperature_2m_max: '°C',
  precipitation_probability_max: '%',
  weather_code: 'wmo code',
  wind_speed_10m: 'km/h',
};

/**
 * Starts the weather demo server: `GET /v1/forecast` in the shape of the Open-Meteo API, with one day of snow.
 * Parameters and error bodies follow https://open-meteo.com/en/docs.
 */
export function startWeatherServer(options: WeatherServerOptions): Promise<LoopbackServer<WeatherFault>> {
  const clock = options.clock ?? systemClock;
  return startLoopbackServer<WeatherFault>({
    name: 'weather',
    port: options.port,
    answer: (request, fault) => forecast(request, fault, clock),
  });
}

function forecast(request: ReceivedRequest, fault: WeatherFault | null, clock: Clock): DemoReply {
  if (request.path !== '/v1/forecast') return bad(404, 'Not Found');
  if (request.method !== 'GET') return bad(405, 'Only GET is supported');
  const latitude = coordinate(request.query.get('latitude'), 90);
  const longitude = coordinate(request.query.get('longitude'), 180);
  if (latitude === null) return bad(400, 'Latitude must be in range of -90 to 90°.');
  if (longitude === null) return bad(400, 'Longitude must be in range of -180 to 180°.');
  const timezone = request.query.get('timezone') ?? 'GMT';
  const now = DateTime.fromMillis(clock.now(), { zone: timezone });
  if (!now.isValid) return bad(400, 'Invalid timezone');
  const daily = variables(request.query, 'daily', DAILY);
  const current = variables(request.query, 'current', CURRENT);
  if (typeof daily === 'string') return bad(400, daily);
  if (typeof current === 'string') return bad(400, current);
  if (fault?.kind === 'wrong_type') (current as Record<string, unknown>).temperature_2m = 'cold';
  return {
    status: 200,
    body: {
      latitude,
      longitude,
      utc_offset_seconds: now.offset * 60,
      timezone,
      elevation: 59,
      current_units: units(current),
      current: { time: now.startOf('minute').toFormat("yyyy-MM-dd'T'HH:mm"), interval: 900, ...current },
      daily_units: units(daily),
      daily: {
        time: [now.toISODate()],
        ...Object.fromEntries(Object.entries(daily).map(([name, value]) => [name, [value]])),
      },
    },
  };
}

/** The variables asked for; all of them when none are named; a text when one is unknown. */
function variables(
  query: URLSearchParams,
  group: string,
  known: Record<string, number>,
): Record<string, number> | string {
  const asked = query.getAll(group).flatMap((text) => text.split(','));
  if (asked.length === 0) return { ...known };
  const result: Record<string, number> = {};
  for (const name of asked) {
    const value = known[name];
    if (value === undefined)
      return `Data corrupted at path '${group}'. Cannot initialize variable from invalid String value ${name}.`;
    result[name] = value;
  }
  return result;
}

const units = (values: Record<string, unknown>): Record<string, string> =>
  Object.fromEntries(Object.keys(values).map((name) => [name, UNITS[name] ?? '']));

const bad = (status: number, reason: string): DemoReply => ({ status, body: { error: true, reason } });

function coordinate(text: string | null, limit: number): number | null {
  const value = text === null || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(value) && Math.abs(value) <= limit ? value : null;
}
