import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApprovalObject, RunObject } from '../../src/client/api-objects.js';
import { startTelegramServer, type TelegramServer } from '../../src/demo/telegram-server.js';
import { type Pao, startPao, until } from './start-pao.js';

const TOKEN = '123456:TEST-approvals-by-button';
const ANA = { id: 42, first_name: 'Ana', username: 'ana' };
let pao: Pao;
let telegram: TelegramServer;

beforeAll(async () => {
  telegram = await startTelegramServer({ port: 0, token: TOKEN });
  const home = mkdtempSync(join(tmpdir(), 'pao-e2e-'));
  writeFileSync(
    join(home, 'pao.config.yaml'),
    `channels:
  me: { kind: telegram, token: "${TOKEN}", chat_id: 42, api: "${telegram.url}" }
notify: { approvals: me }
public_url: https://pao.example.org
`,
  );
  pao = await startPao({ home, clock: '2026-11-24T06:29:00Z' });
});
afterAll(async () => {
  try {
    await pao?.stop();
  } finally {
    pao?.cleanUp();
    await telegram?.close();
  }
});

/** A run that asks, and the message with the question. */
async function ask(name: string) {
  const { status } = await pao.api('POST', '/v1/tasks', {
    name,
    schedule: { kind: 'cron', expr: '0 9 1 1 *', timezone: 'Europe/Chisinau' },
    pipeline: [
      { id: 'ask', approve: { message: 'Send the report?', expires_in: '1h' } },
      { id: 'say', uses: 'debug.echo', with: { by: '${steps.ask.by}' } },
    ],
  });
  expect(status).toBe(201);
  const before = telegram.messages.length;
  const run = await pao.json<RunObject>(['task', 'run', name, '--json']);
  await until('the question', () => telegram.messages.length > before);
  return { run, message: telegram.messages.at(-1) as (typeof telegram.messages)[0] };
}
const ended = async (run: RunObject) => (await pao.api<RunObject>('GET', `/v1/runs/${run.id}?wait=20s`)).body;
const calls = (method: string) => telegram.requests.filter(({ path }) => path.endsWith(`/${method}`)).length;
const approvals = async (run: RunObject) =>
  (
    await pao.api<{ items: ApprovalObject[] }>('GET', '/v1/approvals?state=pending,approved,denied,expired')
  ).body.items.filter((one) => one.run_id === run.id);

test('a tap on the telephone lets the run go on, and the message says by whom and when', async () => {
  const { run, message } = await ask('report');
  expect(message.reply_markup?.inline_keyboard.flat()).toMatchObject([
    { text: 'Approve' },
    { text: 'Deny' },
    { text: 'Open', url: expect.stringMatching(/^https:\/\/pao\.example\.org\/#approval=apr_/) },
  ]);
  telegram.tap(message.message_id, 'Approve', ANA);
  expect(await ended(run)).toMatchObject({ status: 'succeeded', output: { by: 'telegram:42' } });
  await until('the message to say so', () => message.reply_markup === undefined);
  expect(message.text).toMatch(/✅ Approved by Ana \(@ana\), Tue 24 Nov 2026 08:\d\d \(Europe\/Chisinau\)$/);
  await until('the tap to be answered', () => telegram.taps.answers.length > 0);
  expect(telegram.taps.answers).toMatchObject([{ text: 'Approved.' }]);
});

test('a worker that is killed between the decision and its confirmation loses nothing and decides nothing twice', async () => {
  const { run, message } = await ask('crash');
  await until('somebody to listen', () => calls('getUpdates') > 0);
  const before = { answers: calls('answerCallbackQuery'), polls: calls('getUpdates') };
  telegram.faults.always({ kind: 'hang' });
  telegram.tap(message.message_id, 'Approve', ANA);
  await until('the tap to be answered', () => calls('answerCallbackQuery') > before.answers);
  expect(telegram.taps.unconfirmed).toBe(1);
  for (const pid of pao.workerPids().values()) process.kill(pid, 'SIGKILL');
  telegram.faults.clear();
  expect(await ended(run)).toMatchObject({ status: 'succeeded' });
  await until('the tap to be confirmed', () => telegram.taps.unconfirmed === 0);
  await until('the message to say so', () => message.reply_markup === undefined);
  const { body } = await pao.api<{ items: { action: string; details: { run_id?: string } }[] }>(
    'GET',
    '/v1/audit?limit=100',
  );
  const decided = body.items.filter(
    ({ action, details }) => action === 'approval.approved' && details.run_id === run.id,
  );
  expect(decided).toHaveLength(1);
  expect(await approvals(run)).toMatchObject([{ state: 'approved', decided_by: 'telegram:42' }]);
});

test('what is decided on the command line, or by nobody, is said below the question', async () => {
  const { run, message } = await ask('cli');
  expect((await pao.cli(['run', 'reject', run.id, '--comment', 'not today'])).code).toBe(0);
  await until('the message to say so', () => message.reply_markup === undefined);
  expect(message.text).toMatch(
    /❌ Denied by admin, Tue 24 Nov 2026 08:\d\d \(Europe\/Chisinau\)\nnot today$/,
  );
  const late = await ask('late');
  await pao.advance(3_600_000);
  await until('the message to say so', () => late.message.reply_markup === undefined);
  expect(late.message.text).toMatch(
    /⌛ Expired .*nobody answered, so nothing was decided\. A timeout is not a denial;/,
  );
  expect(await ended(late.run)).toMatchObject({ status: 'failed', reason: 'expired' });
});

test('a bot whose updates go elsewhere is shown with what to do, and its token is nowhere', async () => {
  telegram.taps.webhook = 'https://example.org/hook';
  // Ends the request that is held.
  telegram.taps.interrupt();
  await ask('elsewhere');
  const listed = await until('the problem to be listed', async () => {
    const { stdout, stderr } = await pao.cli(['channel', 'list']);
    return /webhook/.test(stdout) ? stdout + stderr : null;
  });
  expect(listed).toMatch(/channel\.me +telegram +yes +webhook/);
  expect(listed).toMatch(/deleteWebhook/);
  const logs = await pao.cli(['logs', '--lines', '1000']);
  expect(logs.stdout.match(/This bot sends its updates to a webhook/g)).toHaveLength(1);
  expect(logs.stdout + pao.output()).not.toContain(TOKEN);
});
