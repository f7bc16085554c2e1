import { get, type IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readMessages, type StreamMessage } from '../../../src/client/event-stream.js';
import { newId } from '../../../src/domain/ids.js';
import type { NewRun } from '../../../src/server/store/store.js';
import { startTestApi, type TestApi } from './an-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
});
afterAll(() => api.close());

const pipeline = [{ id: 'one', uses: 'debug.echo' }];
async function aRun(taskId: string, changes: Partial<NewRun> = {}) {
  const now = Date.now();
  const run: NewRun = {
    id: newId('run', now),
    status: 'queued',
    reason: null,
    trigger: 'manual',
    scheduledFor: now,
    runAt: now,
    params: {},
    eventId: null,
    parentRunId: null,
    dedupeKey: null,
    traceId: null,
    serial: false,
    ...changes,
  };
  return api.store.createRun({ taskId, run, now });
}
const publish = async (body: object, options: object = {}) =>
  (await api.send('POST', '/v1/events', { body, ...options })).body;

describe('what led to a run', () => {
  it('is told link by link, from either end, as far as the caller may see', async () => {
    const { body: task } = await api.send('POST', '/v1/tasks', { body: { name: 'chain', pipeline } });
    const first = await aRun(task.id);
    const event = await publish({ topic: 'a.b', run_id: first.id });
    expect(event).toMatchObject({ cause_run_id: first.id, depth: 1 });
    const second = await aRun(task.id, { trigger: 'event', eventId: event.id });
    const next = await publish({ topic: 'c', run_id: second.id });
    expect(next.depth).toBe(2);
    const replayed = await aRun(task.id, { trigger: 'replay', eventId: event.id, parentRunId: second.id });
    expect((await publish({ topic: 'd', run_id: replayed.id })).depth).toBe(2);

    const shown = (await api.send('GET', `/v1/runs/${second.id}`)).body;
    expect(shown.causes).toMatchObject([
      { kind: 'event', id: event.id, topic: 'a.b' },
      { kind: 'run', id: first.id, task_name: 'chain', trigger: 'manual' },
    ]);
    expect(shown.published).toMatchObject([{ id: next.id, topic: 'c' }]);
    expect((await api.send('GET', `/v1/runs/${replayed.id}`)).body.causes[0]).toMatchObject({
      kind: 'run',
      id: second.id,
    });
    const ofEvent = (await api.send('GET', `/v1/events/${next.id}`)).body;
    expect(ofEvent.causes.map(({ id }: { id: string }) => id)).toEqual([second.id, event.id, first.id]);
    expect((await api.send('GET', `/v1/events/${event.id}`)).body.runs).toMatchObject([
      { id: second.id, task_name: 'chain' },
      { id: replayed.id },
    ]);

    const { token } = await api.anAgent('onlooker', ['events:read', 'events:write']);
    const seen = (await api.send('GET', `/v1/events/${event.id}`, { token })).body;
    expect([seen.causes, seen.runs]).toEqual([[], []]);
    const foreign = await api.send('POST', '/v1/events', { token, body: { topic: 'x', run_id: first.id } });
    expect(foreign.status).toBe(404);
  });

  it('is known from the trace of a request as well', async () => {
    const { body: task } = await api.send('POST', '/v1/tasks', { body: { name: 'traced', pipeline } });
    const run = await aRun(task.id);
    const traceparent = `00-${run.id.slice(4)}-00000000000000ab-01`;
    expect(await publish({ topic: 'a' }, { headers: { traceparent } })).toMatchObject({
      cause_run_id: run.id,
      depth: 1,
    });
    expect((await publish({ topic: 'a' })).cause_run_id).toBeNull();
    expect((await api.send('GET', '/v1/events/evt_none')).status).toBe(404);
  });
});

describe('the stream of events', () => {
  /** Reads messages until `count` are there. */
  async function read(path: string, count: number, lastEventId?: string): Promise<StreamMessage[]> {
    const headers = {
      authorization: `Bearer ${api.admin}`,
      ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
    };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(`${api.url}${path}`, { headers }, resolve).on('error', reject);
    });
    if (response.statusCode !== 200) return [{ id: null, event: String(response.statusCode), data: '' }];
    const messages: StreamMessage[] = [];
    for await (const message of readMessages(response)) {
      messages.push(message);
      if (messages.length === count) break;
    }
    response.destroy();
    return messages;
  }

  it('goes on after the last id, exactly there, and tells of what is kept no more', async () => {
    const made: { id: string; sequence: number }[] = [];
    for (let n = 0; n < 5; n += 1) made.push(await publish({ topic: 's.x', payload: n }));
    const [second, fifth] = [made[1]?.sequence as number, made[4]?.sequence as number];
    const onward = await read('/v1/events/stream?topic=s.%2A', 3, String(second));
    expect(onward.map(({ id }) => Number(id))).toEqual([second + 1, second + 2, second + 3]);

    await api.store.dispatchEvents({ now: Date.now(), limit: 1000, match: () => [] });
    await api.store.prune({
      runsBefore: 0,
      eventsBefore: Date.now() + 1,
      answersBefore: 0,
      tokensBefore: 0,
      limit: fifth - 1,
    });
    const [gap, next] = await read('/v1/events/stream', 2, String(second));
    expect([gap?.event, JSON.parse(gap?.data ?? '')]).toEqual(['pao:gap', { after: second, oldest: fifth }]);
    expect(next?.id).toBe(String(fifth));
    expect((await read('/v1/events/stream', 1, String(fifth - 1))).map(({ id }) => id)).toEqual([
      String(fifth),
    ]);
  });

  it('tells of a place that it never had, and goes on with what comes', async () => {
    const reading = read('/v1/events/stream', 2, '99999999');
    const publishing = setInterval(() => void publish({ topic: 'later' }), 20);
    const [gap, next] = await reading.finally(() => clearInterval(publishing));
    expect(JSON.parse(gap?.data ?? '')).toEqual({ after: 99_999_999, oldest: null });
    expect(next?.event).toBe('later');
    expect((await read('/v1/events/stream', 1, 'x1'))[0]?.event).toBe('422');
  });
});
