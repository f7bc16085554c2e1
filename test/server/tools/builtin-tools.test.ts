import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../src/domain/clock.js';
import { builtinTools } from '../../../src/server/tools/builtin-tools.js';
import { failureOf, json, someCallers, someContext, someTool, startServer } from './a-tool-system.js';

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

const named = (address: string) => {
  const tool = builtinTools.find((one) => one.address === address);
  if (!tool) throw new Error(`there is no ${address}`);
  return tool;
};

describe('debug.echo', () => {
  it('gives back its input, the very same', async () => {
    const input = { a: [1, null, 'x'] };
    expect((await someCallers().call(named('debug.echo'), input, someContext())).output).toBe(input);
  });
});

describe('time.now', () => {
  const clock = new VirtualClock('2026-11-24T06:30:00.500Z');

  it("tells the clock's time in the task's zone", async () => {
    const callers = someCallers({}, { clock });
    const { output } = await callers.call(named('time.now'), {}, someContext({ timezone: 'Asia/Kolkata' }));
    expect(output).toEqual({
      utc: '2026-11-24T06:30:00Z',
      local: '2026-11-24T12:00:00+05:30',
      date: '2026-11-24',
      time: '12:00:00',
      weekday: 'Tuesday',
      timezone: 'Asia/Kolkata',
      epoch_ms: clock.now(),
    });
  });

  it('in UTC when nothing is said, and refuses zones that are none', async () => {
    const callers = someCallers({}, { clock });
    expect((await callers.call(named('time.now'), {}, someContext())).output).toMatchObject({
      local: '2026-11-24T06:30:00+00:00',
    });
    expect(
      await failureOf(callers.call(named('time.now'), { timezone: 'Mars/Base' }, someContext())),
    ).toMatchObject({
      kind: 'invalid_input',
      pointer: '/timezone',
    });
  });
});

describe('data.transform', () => {
  it('evaluates an expression over any data', async () => {
    const callers = someCallers();
    const call = async (expression: string, data: unknown) =>
      (await callers.call(named('data.transform'), { expression, data }, someContext())).output;
    expect(
      await call('items[?n > `1`].name', {
        items: [
          { n: 1, name: 'a' },
          { n: 2, name: 'b' },
        ],
      }),
    ).toEqual({ value: ['b'] });
    expect(await call('[1]', ['a', 'b'])).toEqual({ value: 'b' });
    expect(await call('nothing.here', {})).toEqual({ value: null });
  });

  it('says where an expression is wrong', async () => {
    const wrong = (input: unknown) =>
      failureOf(someCallers().call(named('data.transform'), input, someContext()));
    expect(await wrong({ expression: 'a[', data: {} })).toMatchObject({
      kind: 'invalid_input',
      pointer: '/expression',
    });
    expect(await wrong({ expression: 'no_such(a)', data: {} })).toMatchObject({ kind: 'invalid_input' });
    expect(await wrong({ expression: 'a' })).toMatchObject({ kind: 'invalid_input' });
  });
});

describe('notify.webhook', () => {
  it('posts JSON, signed in the way of Standard Webhooks', async () => {
    const server = await startServer((_request, response) => json(response, { taken: true }));
    const clock = new VirtualClock('2026-11-24T06:30:00Z');
    const callers = someCallers({}, { clock });
    open.push(server, callers);
    const tool = someTool({
      ...named('notify.webhook'),
      address: 'notify.ops',
      builtin: { name: 'notify.webhook' },
      grants: [server.target],
    });
    const secret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`;
    const input = { url: `${server.url}/hook`, payload: { run: 1 }, type: 'run.failed', secret };
    const { output } = await callers.call(tool, input, someContext({ idempotencyKey: 'run-1' }));
    expect(output).toEqual({ status: 200, message_id: 'run-1', body: { taken: true } });
    const [request] = server.requests;
    expect(JSON.parse(request?.body ?? '')).toEqual({ type: 'run.failed', data: { run: 1 } });
    const signed = `run-1.${clock.now() / 1000}.${request?.body}`;
    const signature = createHmac('sha256', '0123456789abcdef01234567').update(signed).digest('base64');
    expect(request?.headers).toMatchObject({
      'webhook-id': 'run-1',
      'webhook-timestamp': String(clock.now() / 1000),
      'webhook-signature': `v1,${signature}`,
    });
  });

  it('is not signed without a secret, and fails when the receiver does', async () => {
    const server = await startServer((_request, response) => json(response, { message: 'no room' }, 507));
    const callers = someCallers();
    open.push(server, callers);
    const tool = { ...named('notify.webhook'), grants: [server.target] };
    const error = await failureOf(
      callers.call(tool, { url: server.url, payload: {} }, someContext({ runId: 'run_1', stepId: 'ping' })),
    );
    expect(error).toMatchObject({ kind: 'tool_error', retryable: true });
    expect(server.requests[0]?.headers).not.toHaveProperty('webhook-signature');
    expect(server.requests[0]?.headers['webhook-id']).toBe('run_1.ping');
  });

  it('does not reach private addresses of its own accord', async () => {
    const callers = someCallers();
    open.push(callers);
    const call = (url: string) =>
      failureOf(callers.call(named('notify.webhook'), { url, payload: {} }, someContext()));
    expect(await call('http://127.0.0.1:1/')).toMatchObject({ kind: 'blocked' });
    expect(await call('https://')).toMatchObject({ kind: 'invalid_input' });
  });
});

describe('a built-in tool', () => {
  it('that does not exist is a mistake in the catalog', async () => {
    const tool = someTool({ address: 'debug.nothing', kind: 'builtin' });
    expect(await failureOf(someCallers().call(tool, {}, someContext()))).toMatchObject({
      kind: 'config_error',
    });
    const inherited = someTool({ address: 'debug.x', kind: 'builtin', builtin: { name: 'to.String' } });
    expect(await failureOf(someCallers().call(inherited, {}, someContext()))).toMatchObject({
      kind: 'config_error',
    });
  });
});
