import { afterEach, expect, test } from 'vitest';
import { type Routes, runCommand, serve, type TestServer } from './run-command.js';

const ID = `agt_${'0'.repeat(31)}1`;
const agent = {
  id: ID,
  name: 'mailer',
  title: null,
  scopes: ['tasks:write', 'tool:mail.*'],
  disabled_at: null,
  created_at: '2026-11-24T06:30:00Z',
  updated_at: '2026-11-24T06:30:00Z',
};
const stored = {
  id: 'tok_1',
  prefix: 'pao_a_abc123',
  label: null,
  scopes: null,
  created_at: '2026-11-24T06:30:00Z',
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
};
const fresh = {
  id: 'tok_2',
  secret: 'pao_a_secret',
  prefix: 'pao_a_secre',
  expires_at: '2027-02-22T06:30:00Z',
};

let server: TestServer | undefined;

afterEach(async () => {
  await server?.close();
  server = undefined;
});

async function agentCommand(verb: string, argv: string[], routes: Routes) {
  server = await serve(routes);
  const end = await runCommand(`agent:${verb}`, [...argv, '--url', server.url]);
  return { ...end, requests: server.requests };
}

const known: Routes = {
  'GET /v1/agents/mailer': () => ({ status: 200, body: { ...agent, tokens: [stored] } }),
  'GET /v1/agents/me': () => ({
    status: 200,
    body: { ...agent, id: `agt_${'0'.repeat(32)}`, name: 'admin' },
  }),
  'GET /v1/agents': () => ({ status: 200, body: { items: [agent], next_cursor: null } }),
};

test('agent create sends name, title, scopes and expiry in seconds, as the token of the caller', async () => {
  const { requests, error } = await agentCommand(
    'create',
    ['mailer', '--scope', 'tasks:write', '--scope', 'tool:mail.*', '--title', 'Mail', '--expires', '90d'],
    { 'POST /v1/agents': () => ({ status: 201, body: { ...agent, token: fresh } }) },
  );
  expect(error).toBeNull();
  expect(requests[0]?.headers.authorization).toBe('Bearer pao_test');
  expect(requests[0]?.body).toEqual({
    name: 'mailer',
    title: 'Mail',
    scopes: ['tasks:write', 'tool:mail.*'],
    expires_in_seconds: 7_776_000,
  });
});

test('agent create prints the secret alone on stdout and says on stderr that it is shown once', async () => {
  const routes: Routes = { 'POST /v1/agents': () => ({ status: 201, body: { ...agent, token: fresh } }) };
  const { stdout, stderr, requests } = await agentCommand('create', ['mailer'], routes);
  expect(stdout).toBe('pao_a_secret\n');
  expect(stderr).toContain('This token is shown once');
  expect(stderr).toMatch(/expires on \w+ 2[123] Feb 2027/);
  expect(stderr).not.toContain('pao_a_secret');
  // Without --scope the server decides.
  expect(requests[0]?.body).toEqual({ name: 'mailer' });
});

test('agent create --json prints the agent with its token as one document', async () => {
  const routes: Routes = { 'POST /v1/agents': () => ({ status: 201, body: { ...agent, token: fresh } }) };
  const { stdout } = await agentCommand('create', ['mailer', '--json'], routes);
  expect(JSON.parse(stdout)).toEqual({ ...agent, token: fresh });
});

test('agent list goes through all pages', async () => {
  const { stdout, requests } = await agentCommand('list', [], {
    'GET /v1/agents': ({ path }) => ({
      status: 200,
      body: path.includes('cursor=next')
        ? { items: [{ ...agent, name: 'second' }], next_cursor: null }
        : { items: [agent], next_cursor: 'next' },
    }),
  });
  expect(requests).toHaveLength(2);
  expect(stdout).toMatch(/^NAME\s+ID\s+SCOPES\s+CREATED\nmailer .*tool:mail\.\*.*\nsecond /);
});

test('agent list leaves out who was revoked, and says so with --all', async () => {
  const body = {
    items: [agent, { ...agent, name: 'gone', disabled_at: '2026-11-25T06:30:00Z' }],
    next_cursor: null,
  };
  const routes = { 'GET /v1/agents': () => ({ status: 200, body }) };
  const { stdout } = await agentCommand('list', ['--json'], routes);
  expect((JSON.parse(stdout) as { items: unknown[] }).items).toEqual([agent]);
  const { stdout: all } = await agentCommand('list', ['--all'], routes);
  expect(all).toMatch(/^NAME\s+ID\s+STATE\s+SCOPES.*\nmailer .* active .*\ngone .* revoked /);
});

test('agent show tells what is known of the tokens', async () => {
  const { stdout } = await agentCommand('show', ['mailer'], known);
  expect(stdout).toMatch(/Scopes\s+tasks:write tool:mail\.\*/);
  expect(stdout).toMatch(/tok_1\s+pao_a_abc123\s+-\s+-\s+never\s+-/);
});

test('an agent that is not there is an exit 5 with the nearest name', async () => {
  const { error } = await agentCommand('show', ['mialer'], known);
  expect(error).toMatchObject({ exitCode: 5, hints: ['Did you mean mailer?', 'pao agent list'] });
});

test.each([
  [[], 86_400, 'its other tokens end in 1d'],
  [['--grace', '2h'], 7200, 'its other tokens end in 2h'],
  [['--grace', '0s'], 0, 'its other tokens have ended'],
])('agent rotate %j ends the other tokens after %i seconds', async (flags, seconds, words) => {
  const { stdout, stderr, requests } = await agentCommand('rotate', ['mailer', ...flags], {
    ...known,
    [`POST /v1/agents/${ID}/tokens`]: () => ({ status: 201, body: fresh }),
  });
  expect(requests.at(-1)?.body).toEqual({ revoke_others_after_seconds: seconds });
  expect(stdout).toBe('pao_a_secret\n');
  expect(stderr).toContain(words);
});

test('agent revoke asks first, and without a terminal it wants --yes', async () => {
  const { error, requests } = await agentCommand('revoke', ['mailer'], known);
  expect(error).toMatchObject({ code: 'PAO_CONFIRMATION_NEEDED', exitCode: 2 });
  expect(requests.map(({ method }) => method)).toEqual(['GET']);
});

test('agent revoke --yes ends the agent', async () => {
  const routes: Routes = { ...known, [`DELETE /v1/agents/${ID}`]: () => ({ status: 204 }) };
  const { error, stdout, requests } = await agentCommand('revoke', ['mailer', '--yes', '--json'], routes);
  expect(error).toBeNull();
  expect(requests.at(-1)).toMatchObject({ method: 'DELETE', path: `/v1/agents/${ID}` });
  expect(JSON.parse(stdout)).toEqual({ agent_id: ID, token_id: null, revoked: true });
});

test.each(['tok_1', 'pao_a_abc123'])('agent revoke --token %s ends that token alone', async (token) => {
  const routes: Routes = { ...known, [`DELETE /v1/agents/${ID}/tokens/tok_1`]: () => ({ status: 204 }) };
  const { error, requests } = await agentCommand('revoke', ['mailer', '--token', token, '--yes'], routes);
  expect(error).toBeNull();
  expect(requests.at(-1)).toMatchObject({ method: 'DELETE', path: `/v1/agents/${ID}/tokens/tok_1` });
});

test('agent revoke of a token the agent does not have changes nothing', async () => {
  const { error, requests } = await agentCommand('revoke', ['mailer', '--token', 'tok_9', '--yes'], known);
  expect(error).toMatchObject({ exitCode: 5, hints: ['pao agent show mailer'] });
  expect(requests.map(({ method }) => method)).toEqual(['GET']);
});
