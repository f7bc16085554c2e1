import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTelegramServer, type TelegramServer } from '../../src/demo/telegram-server.js';
import { VirtualClock } from '../../src/domain/clock.js';

let server: TelegramServer;
const printed: string[] = [];
beforeAll(async () => {
  server = await startTelegramServer({
    port: 0,
    token: '123456:TEST',
    clock: new VirtualClock('2026-11-24T06:30:00Z'),
    onMessage: (message) => printed.push(message.text),
  });
});
afterAll(() => server.close());
beforeEach(() => {
  server.faults.clear();
  server.messages.length = 0;
});

const send = (body: unknown, token = '123456:TEST') => call('sendMessage', body, token);
const call = (method: string, body: unknown, token = '123456:TEST') =>
  fetch(`${server.url}/bot${token}/${method}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

describe('the Telegram demo server', () => {
  it('delivers a message and shows it', async () => {
    const response = await send({
      chat_id: 100200300,
      text: 'Good morning',
      link_preview_options: { is_disabled: true },
    });
    expect(await response.json()).toEqual({
      ok: true,
      result: {
        message_id: 101,
        date: 1795501800,
        chat: { id: 100200300, type: 'private' },
        text: 'Good morning',
      },
    });
    expect(await (await fetch(`${server.url}/messages`)).json()).toMatchObject({
      messages: [{ text: 'Good morning' }],
    });
    expect(printed.at(-1)).toBe('Good morning');
  });

  it('lets a person tap a button', async () => {
    const markup = { inline_keyboard: [[{ text: 'Approve', callback_data: 'a:1' }]] };
    await send({ chat_id: 100200300, text: 'Send it?', reply_markup: markup });
    const id = server.messages.at(-1)?.message_id;
    const tap = (body: object) =>
      fetch(`${server.url}/messages/${id}/tap`, { method: 'POST', body: new URLSearchParams({ ...body }) });
    expect((await tap({ button: 'Deny' })).status).toBe(404);
    expect((await tap({})).status).toBe(400);
    expect((await tap({ button: 'Approve' })).status).toBe(202);
    expect(await (await call('getUpdates', { timeout: 5 })).json()).toMatchObject({
      result: [{ callback_query: { data: 'a:1', from: { id: 100200300 }, message: { message_id: id } } }],
    });
  });

  it('delivers to a group and from a form', async () => {
    const response = await fetch(`${server.url}/bot123456:TEST/sendMessage`, {
      method: 'POST',
      body: new URLSearchParams({ chat_id: '-42', text: 'hi' }),
    });
    expect(await response.json()).toMatchObject({ ok: true, result: { chat: { id: -42, type: 'group' } } });
  });

  it.each([
    ['a wrong token', { chat_id: 1, text: 'x' }, '1:WRONG', 401, 'Unauthorized'],
    ['an empty text', { chat_id: 1, text: ' ' }, '123456:TEST', 400, 'message text is empty'],
    [
      'a text over 4096 characters',
      { chat_id: 1, text: 'x'.repeat(4097) },
      '123456:TEST',
      400,
      'message is too long',
    ],
    ['no chat', { text: 'x' }, '123456:TEST', 400, 'chat_id is empty'],
  ])('refuses %s', async (_, body, token, status, description) => {
    const response = await send(body, token);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({
      ok: false,
      error_code: status,
      description: expect.stringContaining(description),
    });
    expect(server.messages).toEqual([]);
  });

  it('asks to wait in the body when it is rate limited', async () => {
    server.faults.next({ kind: 'rate_limited', retryAfterSeconds: 1 });
    const response = await send({ chat_id: 1, text: 'x' });
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({ parameters: { retry_after: 1 } });
    expect((await send({ chat_id: 1, text: 'x' })).status).toBe(200);
  });

  it('accepts a message and drops the connection before it answers', async () => {
    server.faults.next({ kind: 'accept_then_drop' });
    await expect(send({ chat_id: 1, text: 'x' })).rejects.toThrow('fetch failed');
    expect(server.messages).toHaveLength(1);
  });
});
