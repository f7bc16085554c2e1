import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { LoopbackServer } from '../../src/demo/loopback-server.js';
import { startWeatherServer, type WeatherFault } from '../../src/demo/weather-server.js';
import { VirtualClock } from '../../src/domain/clock.js';

let server: LoopbackServer<WeatherFault>;
beforeAll(async () => {
  server = await startWeatherServer({ port: 0, clock: new VirtualClock('2026-11-24T06:30:00Z') });
});
afterAll(() => server.close());
afterEach(() => {
  server.faults.clear();
  server.requests.length = 0;
});

const ask = (query: string, init?: RequestInit) => fetch(`${server.url}/v1/forecast?${query}`, init);
const HERE = 'latitude=47.01&longitude=28.86';

describe('the weather demo server', () => {
  it('answers the forecast of the local day in the shape of Open-Meteo', async () => {
    const response = await ask(`${HERE}&timezone=Europe/Chisinau`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      latitude: 47.01,
      utc_offset_seconds: 7200,
      timezone: 'Europe/Chisinau',
      current: { time: '2026-11-24T08:30', temperature_2m: -1.4 },
      daily: {
        time: ['2026-11-24'],
        temperature_2m_min: [-4.8],
        temperature_2m_max: [2.1],
        precipitation_probability_max: [85],
        weather_code: [73],
      },
      daily_units: { temperature_2m_min: '°C' },
    });
    expect(server.requests).toHaveLength(1);
  });

  it('answers only the variables that are asked for', async () => {
    const body = (await (await ask(`${HERE}&daily=temperature_2m_max`)).json()) as { daily: object };
    expect(Object.keys(body.daily)).toEqual(['time', 'temperature_2m_max']);
  });

  it.each([
    ['latitude=91&longitude=0', 'Latitude'],
    ['latitude=1', 'Longitude'],
    [`${HERE}&timezone=Mars/Base`, 'timezone'],
    [`${HERE}&daily=colour`, 'colour'],
  ])('refuses %s with a reason', async (query, word) => {
    const response = await ask(query);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: true, reason: expect.stringContaining(word) });
  });

  it('answers 429 once with Retry-After, then works', async () => {
    server.faults.next({ kind: 'respond', status: 429, headers: { 'retry-after': '2' } });
    const first = await ask(HERE);
    expect([first.status, first.headers.get('retry-after')]).toEqual([429, '2']);
    expect((await ask(HERE)).status).toBe(200);
  });

  it('sends a wrong type, hangs until the client gives up, and drops connections when told to', async () => {
    server.faults.next({ kind: 'wrong_type' });
    expect(await (await ask(HERE)).json()).toMatchObject({ current: { temperature_2m: 'cold' } });

    server.faults.next({ kind: 'hang' });
    const abort = new AbortController();
    const hanging = ask(HERE, { signal: abort.signal });
    await expect.poll(() => server.requests.length).toBe(2);
    abort.abort();
    await expect(hanging).rejects.toThrow(/abort/i);
    await expect.poll(() => server.requests[1]?.aborted).toBe(true);

    server.faults.next({ kind: 'drop' });
    await expect(ask(HERE)).rejects.toThrow('fetch failed');
  });

  it('names itself and its process, without counting that as a request', async () => {
    expect(await (await fetch(`${server.url}/demo`)).json()).toEqual({ demo: 'weather', pid: process.pid });
    expect(server.requests).toEqual([]);
  });

  it('refuses a port that is taken and says which', async () => {
    await expect(startWeatherServer({ port: server.port })).rejects.toMatchObject({
      code: 'PAO_PORT_IN_USE',
      message: expect.stringContaining(String(server.port)),
    });
  });
});
