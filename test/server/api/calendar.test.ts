import ICAL from 'ical.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/server/telemetry/logger.js';
import { startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
const logged: unknown[] = [];

beforeAll(async () => {
  const note = (fields: object, message: string) => void logged.push(fields, message);
  api = await startTestApi({
    logger: { ...silentLogger, debug: note, info: note, warn: note, error: note },
  });
  for (const [name, schedule] of [
    ['repeating', { kind: 'rrule', expr: 'FREQ=WEEKLY;BYDAY=MO;BYHOUR=9', timezone: 'Europe/Chisinau' }],
    ['listed', { kind: 'cron', expr: '30 8 * * *', timezone: 'America/New_York' }],
    ['on-event', { kind: 'event', topic: 'mail.received' }],
  ] as const)
    await add(name, schedule, api.admin);
});

afterAll(() => api.close());

const add = (name: string, schedule: object, token: string) =>
  api.send('POST', '/v1/tasks', {
    token,
    body: { name, schedule, pipeline: [{ id: 'one', uses: 'debug.echo' }] },
  });

const get = (query: string, headers: Record<string, string> = {}) =>
  fetch(`${api.url}/v1/calendar.ics${query}`, { headers });

async function summaries(answer: Response): Promise<string[]> {
  const calendar = new ICAL.Component(ICAL.parse(await answer.text()));
  const events = calendar.getAllSubcomponents('vevent');
  return [...new Set(events.map((event) => String(event.getFirstPropertyValue('summary'))))].sort();
}

describe('GET /v1/calendar.ics', () => {
  it('shows the tasks of the caller, who may sign in by the URL, here alone', async () => {
    const byUrl = await get(`?token=${api.admin}`);
    expect([byUrl.status, byUrl.headers.get('content-type')]).toEqual([200, 'text/calendar; charset=utf-8']);
    expect(await summaries(byUrl)).toEqual(['listed', 'repeating']);
    const byHeader = await get('', { authorization: `Bearer ${api.admin}` });
    expect(await summaries(byHeader)).toEqual(['listed', 'repeating']);
    expect((await fetch(`${api.url}/v1/tasks?token=${api.admin}`)).status).toBe(401);
    expect((await fetch(`${api.url}/metrics?token=${api.admin}`)).status).toBe(401);
  });

  it('shows an agent its own tasks, and nothing without the right to read them', async () => {
    const { token } = await api.anAgent('owner', ['tasks:read', 'tasks:write', 'tool:debug.echo']);
    expect(await summaries(await get(`?token=${token}`))).toEqual([]);
    await add('own', { kind: 'cron', expr: '0 7 * * *', timezone: 'UTC' }, token);
    expect(await summaries(await get(`?token=${token}`))).toEqual(['own']);
    const blind = await api.anAgent('blind', ['events:read']);
    expect((await get(`?token=${blind.token}`)).status).toBe(403);
    expect((await get('')).status).toBe(401);
    expect((await get('?token=nothing')).status).toBe(401);
  });

  it('leaves the token in no log and in no answer', async () => {
    const { token } = await api.anAgent('logged', ['tasks:read']);
    logged.length = 0;
    const answer = await get(`?token=${token}`);
    expect(await answer.text()).not.toContain(token);
    const refused = await get(`?token=${token}x`);
    expect(await refused.text()).not.toContain(token);
    await expect.poll(() => JSON.stringify(logged)).toContain('/v1/calendar.ics');
    expect(JSON.stringify(logged)).not.toContain(token);
  });
});
