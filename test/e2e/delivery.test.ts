import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeliveryObject, ListPage, RunObject } from '../../src/client/api-objects.js';
import { startTelegramServer, type TelegramServer } from '../../src/demo/telegram-server.js';
import { type Pao, startPao, until } from './start-pao.js';

const TOKEN = '123456:TEST-delivery';
let pao: Pao;
let telegram: TelegramServer;

beforeAll(async () => {
  telegram = await startTelegramServer({ port: 0, token: TOKEN });
  const home = mkdtempSync(join(tmpdir(), 'pao-e2e-'));
  writeFileSync(
    join(home, 'pao.config.yaml'),
    `channels:
  me: { kind: telegram, token: "\${secrets.BOT}", chat_id: 42, api: "${telegram.url}" }
notify: { approvals: me, channel: me, after: 50 }
public_url: https://pao.example.org
`,
  );
  writeFileSync(join(home, 'secrets.json'), JSON.stringify({ BOT: TOKEN }), { mode: 0o600 });
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

const texts = () => telegram.messages.map(({ text }) => text);

async function create(task: object): Promise<string> {
  const { status, body } = await pao.api<{ id: string }>('POST', '/v1/tasks', task);
  if (status !== 201) throw new Error(`The task was refused: ${JSON.stringify(body)}`);
  return body.id;
}

const runsOf = async (task: string): Promise<RunObject[]> =>
  (await pao.api<ListPage<RunObject>>('GET', `/v1/runs?task_id=${task}`)).body.items;
const deliveriesOf = async (query = ''): Promise<DeliveryObject[]> =>
  (await pao.api<ListPage<DeliveryObject>>('GET', `/v1/deliveries${query}`)).body.items;

describe('F17: quiet hours from 22:00 to 09:00', () => {
  it('puts the message of 08:30 off to 09:00, sends it then, once, and a replay sends it not again', async () => {
    await create({
      name: 'briefing',
      schedule: { kind: 'cron', expr: '30 8 * * *', timezone: 'Europe/Chisinau' },
      quiet_hours: { from: '22:00', to: '09:00', timezone: 'Europe/Chisinau' },
      pipeline: [{ id: 'ping', uses: 'channel.me', with: { text: 'Good morning' } }],
    });
    await pao.advance(60_000);
    const run = await until('the run to end', async () => {
      const [first] = await runsOf('briefing');
      return first?.status === 'succeeded' ? first : null;
    });
    expect(run.delivery).toBe('deferred');
    expect(await deliveriesOf()).toMatchObject([
      { status: 'deferred', reason: 'quiet_hours', due_at: '2026-11-24T07:00:00.000Z', run_id: run.id },
    ]);
    const listed = await pao.cli(['run', 'list']);
    expect(listed.stdout).toMatch(/MESSAGE/);
    expect(listed.stdout).toMatch(/succeeded +deferred/);
    const shown = await pao.cli(['run', 'show', run.id]);
    expect(shown.stdout).toMatch(/deferred \(quiet_hours\) until Tue 24 Nov 2026 07:00:00 UTC/);
    const replay = await pao.json<RunObject>(['run', 'replay', run.id, '--wait', '--json']);
    expect(replay.steps).toMatchObject([{ id: 'ping', status: 'skipped', reason: 'dedupe' }]);
    expect(texts()).toEqual([]);
    await pao.advance(30 * 60_000);
    await until('the message', () => texts().length > 0);
    expect(
      await until('the delivery to be written', async () => {
        const [first] = await deliveriesOf(`?run_id=${run.id}&status=delivered`);
        return first ?? null;
      }),
    ).toMatchObject({ attempts: 1, answer: { message_id: 101 } });
    await pao.advance(24 * 60_000);
    expect(texts()).toEqual(['Good morning']);
  });

  it('of the agent hold as well, and are set and shown from the command line', async () => {
    const zone = ['--timezone', 'UTC'];
    expect((await pao.cli(['agent', 'quiet', 'admin', '--from', '00:00', '--to', '23:59'])).code).toBe(2);
    const args = ['agent', 'quiet', 'admin', '--from', '00:00', '--to', '23:59', '--digest', ...zone];
    expect(await pao.cli(args)).toMatchObject({ code: 0 });
    expect((await pao.cli(['agent', 'show', 'admin'])).stdout).toContain(
      '00:00 to 23:59 UTC, then one message',
    );
    await create({ name: 'quiet', pipeline: [{ id: 'ping', uses: 'channel.me', with: { text: 'later' } }] });
    const run = await pao.json<RunObject>(['task', 'run', 'quiet', '--wait', '--json']);
    expect(run).toMatchObject({ status: 'succeeded', delivery: 'deferred' });
    const before = texts().length;
    expect((await pao.cli(['agent', 'quiet', 'admin', '--off'])).code).toBe(0);
    await until('the message', () => texts().length > before);
    expect(texts().at(-1)).toBe('later');
    const [{ id }] = run.deliveries as [DeliveryObject];
    await until(
      'it to be written',
      async () => (await deliveriesOf(`?run_id=${run.id}&status=delivered`)).length === 1,
    );
    for (const meant of ['latest', id.slice(0, 30)])
      expect(await pao.json(['delivery', 'show', meant, '--json'])).toMatchObject({
        id,
        status: 'delivered',
      });
    expect((await pao.cli(['delivery', 'show', 'dlv_01'])).code).toBe(2);
    expect((await pao.cli(['delivery', 'show', 'dlv_ffffffffff'])).code).toBe(5);
  });

  it('of a task that are lifted let go of what waits', async () => {
    const quiet_hours = { from: '00:00', to: '23:59', timezone: 'UTC' };
    const pipeline = [{ id: 'ping', uses: 'channel.me', with: { text: 'much later' } }];
    const id = await create({ name: 'hushed', quiet_hours, pipeline });
    const run = await pao.json<RunObject>(['task', 'run', 'hushed', '--wait', '--json']);
    expect(run.delivery).toBe('deferred');
    const before = texts().length;
    expect((await pao.api('PATCH', `/v1/tasks/${id}`, { quiet_hours: 'none' })).status).toBe(200);
    await until('the message', () => texts().length > before);
    expect(texts().at(-1)).toBe('much later');
  });
});

describe('a question', () => {
  it('comes with the commands that answer it, and one of them does', async () => {
    await create({
      name: 'report',
      pipeline: [
        { id: 'ask', approve: { message: 'Send the report?', data: { to: 'ana' }, expires_in: '1h' } },
        { id: 'say', uses: 'debug.echo' },
      ],
    });
    const before = texts().length;
    const run = await pao.json<RunObject>(['task', 'run', 'report', '--json']);
    await until('the question', () => texts().length > before);
    const text = texts().at(-1) as string;
    expect(text).toContain('report asks\n\nSend the report?');
    expect(text).toContain('"to": "ana"');
    expect(text).toMatch(/^In a browser: https:\/\/pao\.example\.org\/#approval=apr_[0-9a-f]{32}$/m);
    expect(text).toContain(`POST https://pao.example.org/v1/runs/${run.id}/approvals/ask`);
    const command = /^Yes: pao (.*)$/m.exec(text)?.[1] as string;
    expect(await pao.cli(command.split(' '))).toMatchObject({ code: 0 });
    const ended = await pao.api<RunObject>('GET', `/v1/runs/${run.id}?wait=20s`);
    expect(ended.body.status).toBe('succeeded');
  });
});

describe('a task that its budget pauses', () => {
  it('is told of, with what to type to go on', async () => {
    await create({
      name: 'costly',
      budget: { per_day: { runs: 1 }, on_exceed: 'pause' },
      pipeline: [{ id: 'one', uses: 'debug.echo' }],
    });
    await pao.json<RunObject>(['task', 'run', 'costly', '--wait', '--json']);
    const before = texts().length;
    const second = await pao.cli(['task', 'run', 'costly', '--wait', '--json']);
    expect(JSON.parse(second.stdout)).toMatchObject({ status: 'skipped', reason: 'budget' });
    await until('the notice', () => texts().length > before);
    expect(texts().at(-1)).toMatch(
      /^costly was paused by its budget\n\ncostly was paused .*1 run on .*used 1 run/,
    );
    expect(texts().at(-1)).toMatch(/pao task resume costly$/);
    expect((await pao.cli(['task', 'resume', 'costly'])).code).toBe(0);
  });
});

describe('a channel', () => {
  it('is listed and tried, and its settings are not shown', async () => {
    const listed = await pao.cli(['channel', 'list', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ items: [{ address: 'channel.me' }] });
    expect(listed.stdout).not.toContain(telegram.url);
    const before = texts().length;
    expect((await pao.cli(['channel', 'test', 'me', '--text', 'Does it ring?'])).code).toBe(0);
    expect(texts().slice(before)).toEqual(['A test of pao\n\nDoes it ring?']);
    expect((await pao.cli(['channel', 'test', 'mee'])).code).toBe(5);
  });

  it('that is not there is refused when a task names it', async () => {
    const { status, body } = await pao.api('POST', '/v1/tasks', {
      name: 'lost',
      pipeline: [{ id: 'ping', uses: 'channel.mee', with: { text: 'x' } }],
    });
    expect(status).toBe(422);
    expect(JSON.stringify(body)).toContain('channel.me');
  });

  it('that refuses a message is told of, and the message is shown with why', async () => {
    await create({
      name: 'hook',
      pipeline: [
        { id: 'out', kind: 'notify', uses: 'notify.ntfy', with: { url: `${telegram.url}/none`, text: 'x' } },
      ],
    });
    const before = texts().length;
    const run = await pao.json<RunObject>(['task', 'run', 'hook', '--wait', '--json']);
    expect(run).toMatchObject({ status: 'succeeded', delivery: 'failed' });
    await until('the notice', () => texts().length > before);
    expect(texts().at(-1)).toContain('A message of hook did not arrive');
    const [{ id }] = run.deliveries as [DeliveryObject];
    expect((await pao.cli(['delivery', 'show', id])).stdout).toMatch(/not a public address/);
  });
});
