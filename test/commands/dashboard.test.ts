import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Routes, runCommand, serve, type TestServer } from './run-command.js';

const secret = 'pao_a_0123456789012345678901234567890123456789abcdef';
const created: Routes = {
  'POST /v1/agents/me/tokens': () => ({
    status: 201,
    body: { id: 'tok_1', secret, prefix: 'pao_a_012345', expires_at: '2026-11-24T06:05:00Z' },
  }),
};
let folder: string;
let server: TestServer | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-dashboard-'));
});
afterEach(async () => {
  await server?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A program in place of the one that opens browsers: it notes what it is given. */
function opener(exitCode: number): { env: Record<string, string>; given: () => string | null } {
  const notes = join(folder, 'given');
  writeFileSync(join(folder, 'xdg-open'), `#!/bin/sh\nprintf %s "$1" >${notes}\nexit ${exitCode}\n`);
  chmodSync(join(folder, 'xdg-open'), 0o755);
  return { env: { PATH: folder }, given: () => (existsSync(notes) ? readFileSync(notes, 'utf8') : null) };
}

test('prints a link with a token that lives for minutes; without a terminal it opens nothing', async () => {
  server = await serve(created);
  const { env, given } = opener(0);
  const { stdout, stderr } = await runCommand('dashboard', ['--url', server.url], { env });
  expect(stdout).toBe(`${server.url}/#token=${secret}\n`);
  expect(stderr).toMatch(/signs in once, within 5 minutes/);
  expect(server.requests.map(({ body }) => body)).toEqual([
    { label: 'dashboard link', expires_in_seconds: 300 },
  ]);
  expect(given()).toBeNull();
});

test('--open opens it; --json is one document', async () => {
  server = await serve(created);
  const { env, given } = opener(0);
  const { stdout } = await runCommand('dashboard', ['--open', '--json', '--url', server.url], { env });
  const link = `${server.url}/#token=${secret}`;
  expect(JSON.parse(stdout)).toEqual({
    url: `${server.url}/`,
    link,
    expires_at: '2026-11-24T06:05:00Z',
    opened: true,
  });
  expect(given()).toBe(link);
});

test.each([
  ['fails', () => opener(3).env],
  ['is not there', () => ({ PATH: folder })],
])('--open says so when the program that opens browsers %s', async (_what, env) => {
  server = await serve(created);
  const { error, stdout } = await runCommand('dashboard', ['--open', '--url', server.url], { env: env() });
  expect(error).toMatchObject({ exitCode: 3 });
  expect(error?.message).toMatch(/No browser could be opened/);
  // There is a link to follow by hand all the same.
  expect(stdout).toContain(secret);
});

test('--at makes the link for another address, and takes no nonsense', async () => {
  server = await serve(created);
  const at = (text: string) => runCommand('dashboard', ['--at', text, '--url', (server as TestServer).url]);
  expect((await at('https://pao.example.org/x/')).stdout).toBe(
    `https://pao.example.org/x/#token=${secret}\n`,
  );
  expect((await at('javascript:1')).error).toMatchObject({ exitCode: 2 });
});

test('who may not make tokens is told to bring their own', async () => {
  server = await serve({
    'POST /v1/agents/me/tokens': () => ({
      status: 403,
      body: { detail: 'needs admin', code: 'PAO_FORBIDDEN' },
    }),
  });
  const { stdout, stderr, exitCode } = await runCommand('dashboard', ['--url', server.url]);
  expect([stdout, exitCode]).toEqual([`${server.url}/\n`, 0]);
  expect(stderr).toMatch(/paste it where the page asks/);
});
