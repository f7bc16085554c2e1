import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunObject, SecretObject } from '../../src/client/api-objects.js';
import { type Pao, startPao } from './start-pao.js';

const VALUES = {
  GIVEN: 'value-of-the-environment',
  STORED: 'value-of-the-store',
  SECOND: 'value-that-follows',
};
let pao: Pao;

beforeAll(async () => {
  pao = await startPao({ env: { PAO_SECRET_GIVEN: VALUES.GIVEN } });
});
afterAll(async () => {
  await pao.stop();
  pao.cleanUp();
});

const set = (name: string, value: string, ...more: string[]) =>
  pao.cli(['secret', 'set', name, ...more], { input: `${value}\n` });
const echoing = (name: string, secret: string) => ({
  name,
  pipeline: [
    { id: 'say', uses: 'debug.echo', with: { text: `Bearer \${secrets.${secret}}` } },
    { id: 'again', uses: 'debug.echo', with: { text: '${steps.say.text}' } },
  ],
});
const run = (task: string) => pao.json<RunObject>(['task', 'run', task, '--wait', '--json']);

/** Every file below the data directory, as text. */
function everything(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');
}

test('a stored secret is used by a running pao, and stands nowhere afterwards', async () => {
  const early = await pao.api<{ warnings: { code: string; hint: string }[] }>(
    'POST',
    '/v1/tasks',
    echoing('uses-stored', 'STORED'),
  );
  expect(early.status).toBe(201);
  expect(early.body.warnings).toMatchObject([{ code: 'secret_missing', hint: 'pao secret set STORED' }]);

  const stored = await set('STORED', VALUES.STORED);
  expect(stored).toMatchObject({ code: 0, stdout: '' });
  const near = await pao.api<{ warnings: { hint: string }[] }>('POST', '/v1/tasks', echoing('typo', 'STORD'));
  expect(near.body.warnings).toMatchObject([{ hint: 'Did you mean STORED?' }]);

  const { id } = await run('uses-stored');
  await pao.api('POST', '/v1/tasks', echoing('uses-given', 'GIVEN'));
  expect(await run('uses-given')).toMatchObject({ status: 'succeeded' });
  const ended = await pao.api<RunObject>('GET', `/v1/runs/${id}`);
  expect(ended.body).toMatchObject({ status: 'succeeded', output: { text: 'Bearer ***' } });

  expect((await set('STORED', VALUES.SECOND)).code).toBe(0);
  expect(await run('uses-stored')).toMatchObject({ status: 'succeeded', output: { text: 'Bearer ***' } });

  await expect
    .poll(async () => (await pao.api<{ items: SecretObject[] }>('GET', '/v1/secrets')).body.items)
    .toMatchObject([
      { name: 'GIVEN', source: 'environment', last_used_by: { tool: 'debug.echo', agent: 'admin' } },
      { name: 'STORED', source: 'store', granted_to: ['admin'], last_used_at: expect.any(String) as string },
    ]);
  const exported = await pao.cli(['task', 'export']);
  const seen = [everything(pao.home), pao.output(), exported.stdout, JSON.stringify(ended.body)].join('\n');
  for (const value of Object.values(VALUES)) {
    expect(seen.includes(value)).toBe(false);
    expect(seen.includes(Buffer.from(value).toString('base64'))).toBe(false);
  }
});

test('an agent needs the right, gets it, and loses it at once', async () => {
  await pao.json([
    'agent',
    'create',
    'planner',
    '--scope',
    'tasks:write',
    '--scope',
    'tool:debug.*',
    '--json',
  ]);
  const token = async () =>
    (await pao.json<{ secret: string }>(['agent', 'rotate', 'planner', '--json'])).secret;
  const before = await pao.api('POST', '/v1/tasks', echoing('mine', 'GIVEN'), { token: await token() });
  expect(before.status).toBe(403);
  expect(JSON.stringify(before.body)).toContain('secrets:use:GIVEN');

  expect((await pao.cli(['secret', 'grant', 'GIVEN', '--agent', 'planner'])).code).toBe(0);
  const after = await pao.api<{ id: string }>('POST', '/v1/tasks', echoing('mine', 'GIVEN'), {
    token: await token(),
  });
  expect(after.status).toBe(201);
  expect(await run(after.body.id)).toMatchObject({ status: 'succeeded' });
  const list = await pao.json<{ items: SecretObject[] }>(['secret', 'list', '--json']);
  expect(list.items.find(({ name }) => name === 'GIVEN')?.granted_to?.sort()).toEqual(['admin', 'planner']);

  expect((await pao.cli(['secret', 'revoke', 'GIVEN', '--agent', 'planner'])).code).toBe(0);
  const ended = await pao.cli(['task', 'run', after.body.id, '--wait', '--json']);
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'failed', reason: 'auth' });
});

test('a stored secret goes to the tools it is for, and no other', async () => {
  expect((await set('LIMITED', 'value-for-mail-alone', '--tool', 'mail.*')).code).toBe(0);
  await pao.api('POST', '/v1/tasks', echoing('elsewhere', 'LIMITED'));
  const refused = await pao.cli(['task', 'run', 'elsewhere', '--wait', '--json']);
  expect(JSON.parse(refused.stdout)).toMatchObject({ status: 'failed', reason: 'auth' });
  expect((await pao.cli(['secret', 'grant', 'LIMITED', '--tool', 'debug.echo'])).code).toBe(0);
  expect(await run('elsewhere')).toMatchObject({ status: 'succeeded' });
  expect((await pao.cli(['secret', 'revoke', 'LIMITED', '--tool', 'debug.*'])).stderr).toMatch(
    /debug\.\* is not among its tools/,
  );
});

test('a value on the command line, none at all, and a wrong name are refused in words', async () => {
  const told = await pao.cli(['secret', 'set', 'STORED', 'a-value-that-leaked']);
  expect(told.code).toBe(2);
  expect(told.stderr).toMatch(/does not belong on the command line/);
  expect(told.stderr).not.toContain('a-value-that-leaked');
  expect(await set('STORED', '')).toMatchObject({ code: 2, stderr: expect.stringMatching(/Nothing came/) });
  expect(await set('NO-NAME', 'some-value')).toMatchObject({ code: 2 });
  expect(await pao.cli(['secret', 'delete', 'STORD'])).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/Did you mean STORED\?/),
  });
  expect(await pao.cli(['secret', 'delete', 'STORED'])).toMatchObject({
    code: 0,
    stderr: expect.stringMatching(/still named by task uses-stored: /),
  });
  const gone = await pao.cli(['task', 'run', 'uses-stored', '--wait', '--json']);
  expect(JSON.parse(gone.stdout)).toMatchObject({ status: 'failed', reason: 'config_error' });
});
