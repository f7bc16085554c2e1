import { afterEach, expect, test } from 'vitest';
import { LoadLimit } from '../../../src/server/api/load-limit.js';
import { echo, startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
afterEach(() => api.close());

const lag = { lasting: 0 };
const monotonic = () => performance.now();
const checkOf = async (name: string) => {
  const { body } = await api.send('GET', '/health');
  return (body.checks as { name: string; status: string; message: string }[]).find(
    (one) => one.name === name,
  );
};

test('more requests than it can hold are turned away with 503 and Retry-After, and health says so', async () => {
  const load = new LoadLimit({ lag, monotonic, maxInFlight: 2 });
  api = await startTestApi({ load });
  const task = await api.send('POST', '/v1/tasks', { body: echo('a') });
  const { body: run } = await api.send('POST', `/v1/tasks/${task.body.id}/run`, { body: {} });
  // No worker runs here: these two wait.
  const controller = new AbortController();
  const waiting = [1, 2].map(() =>
    fetch(`${api.url}/v1/runs/${run.id}?wait=30s`, {
      headers: { authorization: `Bearer ${api.admin}` },
      signal: controller.signal,
    }).catch(() => null),
  );
  while (load.report().inFlight < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = await api.send('GET', '/v1/tasks');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect(refused.body).toMatchObject({ code: 'PAO_OVERLOADED', status: 503 });
  expect(await checkOf('api')).toMatchObject({ status: 'warn' });
  controller.abort();
  await Promise.all(waiting);
  while (load.report().inFlight > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await api.send('GET', '/v1/tasks')).status).toBe(200);
});

test('an event loop that is lastingly late turns requests away, but what tells how things are', async () => {
  const late = { lasting: 0 };
  api = await startTestApi({ load: new LoadLimit({ lag: late, monotonic }) });
  expect((await api.send('GET', '/v1/tasks')).status).toBe(200);
  late.lasting = 600;
  expect((await api.send('GET', '/v1/tasks')).status).toBe(503);
  expect((await api.send('GET', '/health/ready')).status).toBe(200);
  expect(await checkOf('api')).toMatchObject({ status: 'warn' });
  late.lasting = 0;
  expect((await api.send('GET', '/v1/tasks')).status).toBe(200);
});
