import { createHmac } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTelegramServer, type TelegramServer } from '../../../../src/demo/telegram-server.js';
import { type Channel, channelSchema } from '../../../../src/domain/channel.js';
import { VirtualClock } from '../../../../src/domain/clock.js';
import { Redactor } from '../../../../src/domain/redact.js';
import { ToolError } from '../../../../src/domain/tool-error.js';
import { builtinTools } from '../../../../src/server/tools/builtin-tools.js';
import type { Question, ToolResult } from '../../../../src/server/tools/caller.js';
import { channelTool } from '../../../../src/server/tools/channels/channel-tools.js';
import { programFor } from '../../../../src/server/tools/channels/desktop.js';
import { createToolCallers } from '../../../../src/server/tools/tool-callers.js';

const SECRETS: Record<string, string> = {
  HOOK: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  BOT: '123456:TEST-bot-token',
  NTFY: 'tk_ntfy-token-1234',
  SMTP: 'smtp-password-77',
};
const clock = new VirtualClock('2026-11-24T06:30:00Z');
const received: { url: string; headers: IncomingHttpHeaders; body: string }[] = [];
let status = 200;
const http = createServer((request, response) => {
  let body = '';
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    received.push({ url: request.url ?? '', headers: request.headers, body });
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"id":"msg1"}');
  });
});
let origin: string;
let telegram: TelegramServer;
const letters: { from: string; to: string[]; text: string }[] = [];
let atData: 'take' | 'refuse' | 'later' | 'vanish' = 'take';
let smtp: SMTPServer;
let smtpPort: number;

beforeAll(async () => {
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  telegram = await startTelegramServer({ port: 0, token: SECRETS.BOT as string });
  smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    onAuth: (auth, _session, done) =>
      auth.password === SECRETS.SMTP ? done(null, { user: 'ana' }) : done(new Error('wrong password')),
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (part) => (text += part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        if (atData === 'refuse') return done(Object.assign(new Error('not here'), { responseCode: 554 }));
        if (atData === 'later') return done(Object.assign(new Error('busy'), { responseCode: 451 }));
        letters.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          text,
        });
        if (atData === 'vanish') {
          // Taken, and the connection dies before the receipt.
          for (const connection of (smtp as unknown as { connections: Set<{ _socket: { destroy(): void } }> })
            .connections)
            connection._socket.destroy();
          return;
        }
        done();
      });
    },
  });
  await new Promise<void>((done) => smtp.listen(0, '127.0.0.1', done));
  smtpPort = (smtp.server.address() as AddressInfo).port;
});
afterAll(async () => {
  http.close();
  await telegram.close();
  await new Promise<void>((done) => smtp.close(done));
});
afterEach(() => {
  received.length = 0;
  letters.length = 0;
  telegram.messages.length = 0;
  telegram.faults.clear();
  status = 200;
  atData = 'take';
});

async function send(
  settings: object,
  input: object,
  key = 'run_1/ping',
  question?: Question,
): Promise<ToolResult> {
  const channel: Channel = channelSchema.parse(settings);
  const callers = createToolCallers({
    clock: { now: () => clock.now(), monotonic: () => performance.now() },
    secrets: { resolve: async (name) => SECRETS[name] ?? '' },
    redactor: new Redactor(),
    channels: { it: channel },
  });
  try {
    return await callers.call(channelTool('it', channel), input, {
      signal: new AbortController().signal,
      timeoutMs: 10_000,
      idempotencyKey: key,
      question,
    });
  } finally {
    await callers.close();
  }
}

const failure = (settings: object, input: object): Promise<ToolError> =>
  send(settings, input).then(
    () => {
      throw new Error('it was sent');
    },
    (error: unknown) => {
      if (error instanceof ToolError) return error;
      throw error;
    },
  );

describe('a webhook', () => {
  it('is signed so that docs/delivery.md verifies it', async () => {
    await send(
      { kind: 'webhook', url: `${origin}/hook`, secret: '${secrets.HOOK}' },
      { text: 'hi', data: { n: 1 } },
    );
    const [{ headers, body }] = received as [(typeof received)[0]];
    const id = headers['webhook-id'] as string;
    const timestamp = headers['webhook-timestamp'] as string;
    const key = Buffer.from((SECRETS.HOOK as string).slice('whsec_'.length), 'base64');
    const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${expected}`);
    expect(id).toBe('run_1/ping');
    expect(Number(timestamp) * 1000).toBe(clock.now());
    expect(JSON.parse(body)).toEqual({
      type: 'pao.message',
      timestamp: '2026-11-24T06:30:00.000Z',
      data: { text: 'hi', data: { n: 1 } },
    });
  });

  it('that drops repeats may be asked again when an answer was lost', () => {
    const of = (idempotent: boolean) =>
      channelTool('it', channelSchema.parse({ kind: 'webhook', url: origin, idempotent })).side_effect;
    expect([of(true), of(false)]).toEqual(['idempotent', 'once']);
  });
});

describe('ntfy', () => {
  it('gets the text as the body and the rest as headers, whatever language the title is in', async () => {
    const input = {
      text: 'Zăpadă',
      title: 'Vremea: ninge',
      urgent: true,
      link: 'https://example.org/w',
      tags: ['snow'],
    };
    const result = await send({ kind: 'ntfy', url: `${origin}/my-topic`, token: '${secrets.NTFY}' }, input);
    expect(result.output).toEqual({ id: 'msg1' });
    expect(received).toMatchObject([
      {
        url: '/my-topic',
        body: 'Zăpadă',
        headers: {
          title: 'Vremea: ninge',
          priority: 'urgent',
          click: 'https://example.org/w',
          tags: 'snow',
          authorization: `Bearer ${SECRETS.NTFY}`,
        },
      },
    ]);
    await send({ kind: 'ntfy', url: `${origin}/t` }, { text: 'x', title: 'Зима' });
    expect(received[1]?.headers.title).toBe(`=?UTF-8?B?${Buffer.from('Зима').toString('base64')}?=`);
  });

  it('gets a button to the page of a question, unless only this machine gets there', async () => {
    const settings = { kind: 'ntfy', url: `${origin}/t` };
    const question = { approvalId: 'apr_1', link: 'https://pao.example.org/#approval=apr_1' };
    await send(settings, { text: 'Pay?' }, 'k', question);
    await send(settings, { text: 'Pay?' }, 'k', {
      ...question,
      link: 'http://127.0.0.1:8080/#approval=apr_1',
    });
    expect(received[0]?.headers).toMatchObject({
      actions: 'view, Open, "https://pao.example.org/#approval=apr_1"',
      click: 'https://pao.example.org/#approval=apr_1',
    });
    expect(received[1]?.headers.actions).toBeUndefined();
  });

  it('that is not well is asked again later, one that knows no such topic is not', async () => {
    status = 503;
    expect(await failure({ kind: 'ntfy', url: `${origin}/t` }, { text: 'x' })).toMatchObject({
      retryable: true,
    });
    status = 403;
    expect(await failure({ kind: 'ntfy', url: `${origin}/t` }, { text: 'x' })).toMatchObject({
      kind: 'auth',
      retryable: false,
    });
  });
});

describe('Telegram', () => {
  const settings = () => ({ kind: 'telegram', token: '${secrets.BOT}', chat_id: 42, api: telegram.url });

  it('gets title and text in one message', async () => {
    const { output } = await send(settings(), { text: 'Standup at 9', title: 'Today' });
    expect(output).toMatchObject({ message_id: 101 });
    expect(telegram.messages).toMatchObject([{ chat: { id: 42 }, text: 'Today\n\nStandup at 9' }]);
  });

  it('gets a long text in parts, and is waited for when it asks for a pause between them', async () => {
    telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 1 });
    await send(settings(), { text: 'word '.repeat(1500).trim() });
    expect(telegram.messages).toHaveLength(2);
    expect(telegram.messages.map(({ text }) => text).join(' ')).toBe('word '.repeat(1500).trim());
  });

  it('has a button that opens the page of a question where Telegram takes the address, and nothing else does', async () => {
    const approvalId = `apr_${'0'.repeat(32)}`;
    const labels = async (link?: string) => {
      await send(settings(), { text: 'Pay?' }, 'k', { approvalId, link });
      return telegram.messages
        .at(-1)
        ?.reply_markup?.inline_keyboard.flat()
        .map(({ text }) => text);
    };
    expect(await labels('https://pao.example.org/#approval=x')).toEqual(['Approve', 'Deny', 'Open']);
    for (const link of ['http://127.0.0.1:8080/', 'http://localhost/', 'http://pao.local/', undefined])
      expect(await labels(link)).toEqual(['Approve', 'Deny']);
    await send(settings(), {
      text: 'x',
      data: { approval_url: 'https://example.org', approval_id: approvalId },
    });
    expect(telegram.messages.at(-1)?.reply_markup).toBeUndefined();
  });

  it('that asks for a long pause is left alone until then; a wrong token is said, and not shown', async () => {
    telegram.faults.next({ kind: 'rate_limited', retryAfterSeconds: 60 });
    expect(await failure(settings(), { text: 'x' })).toMatchObject({
      kind: 'rate_limited',
      retryAfterMs: 60_000,
    });
    const wrong = await failure({ ...settings(), token: 'not-the-token-1' }, { text: 'x' });
    expect(wrong).toMatchObject({ kind: 'auth', retryable: false });
    expect(wrong.message).not.toContain('not-the-token-1');
  });
});

describe('e-mail', () => {
  const settings = (more: object = {}) => ({
    kind: 'email',
    server: `smtp://127.0.0.1:${smtpPort}`,
    user: 'ana',
    password: '${secrets.SMTP}',
    from: 'pao <pao@example.org>',
    to: ['ana@example.org', 'bob@example.org'],
    tls: false,
    ...more,
  });

  it('is one letter with a Message-ID that a repeat has as well', async () => {
    const { output } = await send(settings(), {
      text: 'Bună dimineața',
      title: 'Contract semnătură',
      urgent: true,
    });
    await send(settings(), { text: 'Bună dimineața' });
    expect(letters).toMatchObject([
      { from: 'pao@example.org', to: ['ana@example.org', 'bob@example.org'] },
      { from: 'pao@example.org' },
    ]);
    const ids = letters.map(({ text }) => /^Message-ID: (.*)$/im.exec(text)?.[1]?.trim());
    expect(ids[0]).toBe(ids[1]);
    expect(output).toMatchObject({ message_id: ids[0] });
    expect(letters[0]?.text).toMatch(/^X-Priority: 1/im);
    // RFC 3834: no out-of-office note answers it.
    for (const header of [
      'From: pao <pao@example.org>',
      'To: ana@example.org, bob@example.org',
      'Auto-Submitted: auto-generated',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
    ])
      expect(letters[1]?.text).toContain(`${header}\r\n`);
    expect(letters[1]?.text).toMatch(/^Date: \w{3}, \d/m);
    expect(letters[0]?.text).toMatch(/^Subject: =\?UTF-8\?/im);
  });

  it('that is refused for good fails, one that is put off is tried again, a lost receipt is unknown', async () => {
    atData = 'refuse';
    expect(await failure(settings(), { text: 'x' })).toMatchObject({ retryable: false, outcomeKnown: true });
    atData = 'later';
    expect(await failure(settings(), { text: 'x' })).toMatchObject({ retryable: true, outcomeKnown: true });
    atData = 'vanish';
    expect(await failure(settings(), { text: 'x' })).toMatchObject({ outcomeKnown: false });
    expect(letters).toHaveLength(1);
  });

  it('with a wrong password is not tried again; without encryption nothing is sent unless it was said', async () => {
    expect(await failure(settings({ password: 'wrong-password' }), { text: 'x' })).toMatchObject({
      kind: 'auth',
      retryable: false,
    });
    const open = await failure(settings({ tls: true }), { text: 'x' });
    expect(open).toMatchObject({ outcomeKnown: true, retryable: false });
    expect(open.message).toMatch(/offers no encryption.*tls: false/);
    const wrongKind = await failure(settings({ server: `smtps://127.0.0.1:${smtpPort}`, tls: true }), {
      text: 'x',
    });
    expect(wrongKind).toMatchObject({ outcomeKnown: true, retryable: false });
    expect(wrongKind.message).toMatch(/no encryption could be agreed on.*smtp:\/\/ \(STARTTLS\) for 587/);
    expect(letters).toEqual([]);
  });

  it('does not let a pipeline reach inside: only what the operator named is granted', async () => {
    const tool = builtinTools.find(({ address }) => address === 'notify.email');
    const callers = createToolCallers({
      clock: { now: () => clock.now(), monotonic: () => performance.now() },
      secrets: { resolve: async () => '' },
      redactor: new Redactor(),
    });
    const input = {
      server: `smtp://127.0.0.1:${smtpPort}`,
      from: 'a@b.c',
      to: 'd@e.f',
      text: 'x',
      tls: false,
    };
    const call = callers.call(tool as NonNullable<typeof tool>, input, {
      signal: new AbortController().signal,
      timeoutMs: 5000,
    });
    await expect(call).rejects.toMatchObject({ kind: 'blocked' });
    await callers.close();
    expect(letters).toEqual([]);
  });
});

describe('the desktop', () => {
  it('shows what the program on the PATH is given, texts as arguments', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'pao-desktop-'));
    const path = process.env.PATH;
    try {
      const said = join(folder, 'said');
      writeFileSync(join(folder, 'notify-send'), `#!/bin/sh\nprintf '%s\\n' "$@" > '${said}'\n`);
      chmodSync(join(folder, 'notify-send'), 0o755);
      process.env.PATH = `${folder}:${path}`;
      await send({ kind: 'desktop' }, { text: '$(touch /tmp/x) `id`', title: '--urgency=low', urgent: true });
      expect(readFileSync(said, 'utf8').trim().split('\n')).toEqual([
        '--app-name=pao',
        '--urgency=critical',
        '--',
        '--urgency=low',
        '$(touch /tmp/x) `id`',
      ]);
      process.env.PATH = folder;
      rmSync(join(folder, 'notify-send'));
      expect(await failure({ kind: 'desktop' }, { text: 'x' })).toMatchObject({ kind: 'config_error' });
    } finally {
      process.env.PATH = path;
      rmSync(folder, { recursive: true });
    }
  });

  it('is told by osascript and PowerShell without the text being part of a program', () => {
    const message = { text: '"; do shell script "id', title: "'; calc" };
    const mac = programFor('darwin', message);
    expect(mac.args.slice(-2)).toEqual([message.title, message.text]);
    const windows = programFor('win32', message);
    expect(windows.args.join(' ')).not.toContain('calc');
    expect(windows.env).toEqual({ PAO_TITLE: message.title, PAO_TEXT: message.text });
  });
});

it.each([
  [{ kind: 'ntfy', url: 'ftp://x' }, 'url'],
  [{ kind: 'email', server: 'https://x', from: 'a@b.c', to: 'd@e.f' }, 'server'],
  [{ kind: 'email', server: 'smtps://x', from: 'nobody', to: 'd@e.f' }, 'from'],
  [{ kind: 'telegram', token: 'x' }, 'chat_id'],
])('refuses %j', (settings, field) => {
  const { error } = channelSchema.safeParse(settings);
  expect(error?.issues.flatMap(({ path }) => path)).toContain(field);
});
