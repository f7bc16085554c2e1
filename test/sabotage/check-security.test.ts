import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DoctorContext } from '../../src/checks/doctor/context.js';
import { runCheck } from '../../src/checks/run-check.js';
import { runSuite } from '../../src/checks/runner.js';
import { checkSecurity } from '../../src/checks/check-security/suite.js';
import { type ToolInput, toolSchema } from '../../src/domain/tool.js';
import { LocalSecrets } from '../../src/server/secrets/local-secrets.js';
import { processStart, writeRunFile } from '../../src/server/supervisor/run-file.js';
import { agentOf, seed, T0 } from '../contract/fixtures.js';
import { startTestApi } from '../server/api/an-api.js';
import { aPlace, packageRoot, type TestPlace } from './a-place.js';
import { sabotage } from './sabotage.js';

let place: TestPlace;
let server: Server | null;

beforeEach(async () => {
  place = await aPlace();
  server = null;
});
afterEach(async () => {
  await new Promise<void>((done) => (server === null ? done() : server.close(() => done())));
  place.remove();
});

/** A server that takes everybody in, and says that it is the pao of this data directory. */
async function credulous(): Promise<void> {
  const open = createServer({ keepAlive: false }, (_, response) =>
    response.setHeader('connection', 'close').end('{}'),
  );
  await new Promise<void>((done) => open.listen(0, '127.0.0.1', done));
  server = open;
  writeRunFile(place.home, {
    pid: process.pid,
    process_start: processStart(process.pid),
    url: `http://127.0.0.1:${(open.address() as AddressInfo).port}`,
    version: '1.2.3',
    started_at: new Date(T0).toISOString(),
    home: place.home,
    database: place.path,
    log_file: '',
  });
}

const add = (tool: ToolInput) =>
  place.use((store) =>
    store.putTool({ tool: toolSchema.parse(tool), createdBy: 'test', createdAt: T0, updatedAt: T0 }),
  );
const httpTool = (http: { url: string; max_redirects?: number }, more: object = {}): ToolInput => ({
  address: 'news.top',
  kind: 'http',
  http,
  ...more,
});

sabotage(checkSecurity, 'exposure.bind', 'an API that listens for everybody', (fails) =>
  fails(place.look({ env: { PAO_HOST: '0.0.0.0' } }), /listens on 0\.0\.0\.0/, { status: 'warned' }),
);

sabotage(checkSecurity, 'exposure.wall', 'a server that answers pages of others', async (fails) => {
  await credulous();
  await fails(place.look(), /answers a foreign Host and a foreign Origin and a request from another site/);
});

sabotage(checkSecurity, 'exposure.dashboard', 'a dashboard without a policy', async (fails) => {
  await credulous();
  await fails(place.look(), /is not closed: its policy lacks default-src 'none'; .*frame-ancestors 'none'/);
});

sabotage(checkSecurity, 'exposure.auth', 'a server that wants no token', async (fails) => {
  await credulous();
  await fails(place.look(), /answers 200 without a token/);
});

sabotage(checkSecurity, 'exposure.database', 'a database over an open line', (fails) =>
  fails(
    place.look({ env: { DATABASE_URL: 'postgres://pao:hidden@db.example.com/pao' } }),
    /postgres:\/\/pao:\*\*\*@db\.example\.com\/pao is reached without TLS/,
    { status: 'warned' },
  ),
);

sabotage(checkSecurity, 'files.private', 'secrets that others may read', (fails) => {
  const path = join(place.home, 'secrets.json');
  writeFileSync(path, '{}');
  chmodSync(path, 0o644);
  return fails(place.look(), /may read .*secrets\.json/);
});

sabotage(checkSecurity, 'access.tokens', 'a token that never ends', async (fails) => {
  const agent = agentOf('mailer');
  await place.use((store) =>
    store.createAgent(agent, {
      id: 'tok_1',
      agentId: agent.id,
      hash: 'hash',
      prefix: 'pao_a_',
      label: null,
      scopes: ['tasks:read'],
      createdAt: T0,
      expiresAt: null,
      revokedAt: null,
      lastUsedAt: null,
    }),
  );
  await fails(place.look(), /of mailer never ends/, { status: 'warned' });
});

sabotage(checkSecurity, 'access.scopes', 'an agent that may do everything', async (fails) => {
  await place.use((store) =>
    store.createAgent(agentOf('helper', { scopes: ['tool:*', 'tasks:read'] }), null),
  );
  await fails(place.look(), /helper has tool:\*/, { status: 'warned' });
});

sabotage(checkSecurity, 'database.audit', 'an audit log that was changed', async (fails) => {
  await place.use((store) =>
    store.appendAudit({ at: T0, actor: 'system', action: 'one', target: null, details: {} }),
  );
  place.raw("UPDATE audit_log SET actor = 'nobody'");
  await fails(place.look(), /of the audit log does not fit/);
});

sabotage(checkSecurity, 'processes.lock', 'a pao that does not hold its data directory', async (fails) => {
  await credulous();
  mkdirSync(join(place.home, 'run'), { recursive: true });
  writeFileSync(join(place.home, 'run', 'lock.db'), '');
  await fails(place.look(), /does not hold the data directory/);
});

sabotage(checkSecurity, 'secrets.plain', 'secrets that are written out', async (fails) => {
  await place.use((store) => seed(store, { params: { api_key: 'abcdefgh1234' } }));
  await add(httpTool({ url: 'https://example.com' }, { description: `Bearer sk-${'a'.repeat(20)}` }));
  await fails(place.look(), /task a-task\/params\/api_key, tool news\.top\/description/);
  writeFileSync(
    join(place.home, 'pao.config.yaml'),
    'channels: { me: { kind: webhook, url: "https://example.com", secret: topsecret123 } }\n',
  );
  await fails(place.look(), /pao\.config\.yaml \/channels\/me\/secret/);
});

sabotage(checkSecurity, 'secrets.weak', 'secrets that everybody tries, and empty ones', async (fails) => {
  writeFileSync(
    join(place.home, 'secrets.json'),
    JSON.stringify({ MAIL: { value: '' }, GOOD: 'k3-Jw9_2zPq8sV' }),
  );
  await fails(
    place.look({ env: { PAO_SECRET_TELEGRAM: 'changeme' } }),
    /PAO_SECRET_TELEGRAM, MAIL are easy to guess/,
    {
      status: 'warned',
    },
  );
});

sabotage(checkSecurity, 'runtime.tls', 'certificates that are not checked', (fails) =>
  fails(place.look({ env: { NODE_TLS_REJECT_UNAUTHORIZED: '0' } }), /certificates are not checked/),
);

sabotage(checkSecurity, 'runtime.inspector', 'a debugger port', (fails) =>
  fails(place.look({ env: { NODE_OPTIONS: '--inspect=0.0.0.0:9229' } }), /opens a debugger port/),
);

sabotage(checkSecurity, 'runtime.end_of_life', 'a Node.js that gets no fixes', (fails) =>
  fails(place.look({ nodeVersion: 'v18.20.0' }), /last security fixes on 2025-04-30/, { status: 'warned' }),
);

sabotage(checkSecurity, 'tools.plain_http', 'a tool over plain HTTP', async (fails) => {
  await add(httpTool({ url: 'http://news.example.com/top' }));
  await fails(place.look(), /news\.top is called over plain HTTP/, { status: 'warned' });
});

sabotage(
  checkSecurity,
  'tools.grants',
  'a way to the credentials of the cloud, and into the network',
  async (fails) => {
    await add(httpTool({ url: 'http://10.0.0.7:80/' }, { grants: ['10.0.0.7:80'] }));
    await fails(place.look(), /news\.top may reach 10\.0\.0\.7:80/, { status: 'warned' });
    await add(httpTool({ url: 'http://169.254.169.254/' }, { grants: ['169.254.169.254:80'] }));
    await fails(place.look(), /may reach 169\.254\.169\.254:80/);
  },
);

sabotage(checkSecurity, 'tools.redirects', 'a tool that goes where it is sent', async (fails) => {
  await add(httpTool({ url: 'https://example.com', max_redirects: 3 }));
  await fails(place.look(), /news\.top follows redirects/, { status: 'warned' });
});

sabotage(checkSecurity, 'secrets.store', 'stored secrets whose key is gone', async (fails) => {
  await new LocalSecrets({ home: place.home, environment: {} }).set('TOKEN', 'a-good-value', {}, T0);
  rmSync(join(place.home, 'secrets.key'));
  await fails(place.look(), /The key of the stored secrets \(\w+\) is not in .*secrets\.key/);
});

test('with --target what HTTP tells is checked, and what the machine tells is skipped with the reason', async () => {
  const api = await startTestApi();
  const options = {
    home: place.home,
    userHome: place.home,
    cwd: place.home,
    packageRoot,
    version: '1.2.3',
    target: { url: api.url, token: api.admin },
    only: [],
    skip: [],
    failFast: false,
    timeoutMs: null,
    strict: false,
    allowDisruptive: false,
    signal: new AbortController().signal,
    env: {},
  };
  try {
    const { report } = await runSuite(checkSecurity, options);
    const ids = (status: string) =>
      report.checks.filter((check) => check.status === status).map(({ id }) => id);
    expect(report.target.url).toBe(api.url);
    expect(ids('passed').sort()).toEqual(['exposure.auth', 'exposure.dashboard', 'exposure.wall']);
    expect(ids('skipped')).toHaveLength(report.checks.length - 3);
    expect(report.checks.find(({ id }) => id === 'files.private')?.error).toContain(api.url);
    expect(report.status).toBe('passed');
  } finally {
    await api.close();
  }
});

test('with --target a server that takes everybody in is seen', async () => {
  await credulous();
  const address = (server as Server).address() as AddressInfo;
  const context = new DoctorContext(place.look().place, `http://127.0.0.1:${address.port}`);
  for (const id of ['exposure.wall', 'exposure.dashboard', 'exposure.auth']) {
    const check = checkSecurity.checks.find((one) => one.id === id);
    const { signal } = new AbortController();
    const result = await runCheck(check as NonNullable<typeof check>, context, { signal, command: 'x' });
    expect([id, result.status]).toEqual([id, 'failed']);
  }
});
