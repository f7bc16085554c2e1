import { type IncomingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createToken } from '../../server/api/tokens.js';
import { readDatabaseUrl, shownDatabase } from '../../server/store/database-url.js';
import { CheckSkipped } from '../check.js';
import { broken, type DoctorCheck, doubtful } from '../doctor/finding.js';

const TIMEOUT_MS = 3000;

/** What a page in a browser, or a name that an attacker points here, would send. */
const FOREIGN: readonly [what: string, headers: Record<string, string>][] = [
  ['a foreign Host', { host: 'attacker.example' }],
  ['a foreign Origin', { origin: 'https://attacker.example' }],
  ['a request from another site', { 'sec-fetch-site': 'cross-site' }],
];

/** What the policy of the dashboard must say at least. */
const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
];

export const exposureChecks: readonly DoctorCheck[] = [
  {
    id: 'exposure.bind',
    title: 'The API listens on this machine alone',
    group: 'Exposure',
    async run(context) {
      const { config, sources } = await context.config();
      const running = context.running();
      const hosts = [config.host, ...(running === null ? [] : [new URL(running.url).hostname])];
      const open = hosts.find((host) => !isLocal(host));
      const evidence = { host: config.host, from: sources.host, running: running?.url ?? null };
      if (open === undefined) return evidence;
      throw doubtful({
        what: `The API listens on ${open}: other machines reach it.`,
        why: 'It speaks plain HTTP, so tokens can be read on the way; put a proxy with TLS before it.',
        command: 'pao start local --host 127.0.0.1',
        evidence,
      });
    },
  },
  {
    id: 'exposure.wall',
    title: 'Pages in a browser can not use the API',
    group: 'Exposure',
    timeoutMs: 15_000,
    async run(context, { signal }) {
      const url = context.serverUrl();
      const passed: string[] = [];
      for (const [what, headers] of FOREIGN) {
        const status = await statusOf(`${url}/health/live`, headers, signal);
        if (status < 400) passed.push(what);
      }
      if (passed.length === 0) return { refused: FOREIGN.map(([what]) => what) };
      throw broken({
        what: `${url} answers ${passed.join(' and ')}.`,
        why: 'A page that somebody here opens could read and write tasks (DNS rebinding).',
        command: 'pao stop && pao start local --detach',
        evidence: { passed },
      });
    },
  },
  {
    id: 'exposure.dashboard',
    title: 'The dashboard runs nothing but its own script, and is in no frame',
    group: 'Exposure',
    timeoutMs: 15_000,
    async run(context, { signal }) {
      const url = context.serverUrl();
      const { headers } = await ask(`${url}/`, {}, signal);
      const policy = (headers['content-security-policy'] ?? '').toString();
      const missing = PAGE_POLICY.filter((rule) => !policy.split(/; */).includes(rule));
      const wrong = [
        ...missing.map((rule) => `its policy lacks ${rule}`),
        ...(headers['set-cookie'] === undefined ? [] : ['it sets a cookie']),
        ...(headers['x-content-type-options'] === 'nosniff' ? [] : ['X-Content-Type-Options is not nosniff']),
      ];
      if (wrong.length === 0) return { policy };
      throw broken({
        what: `${url}/ is not closed: ${wrong.join('; ')}.`,
        why: 'What a tool or a page elsewhere wrote could act in the name of whoever has the dashboard open.',
        command: 'pao stop && pao start local --detach',
        evidence: { policy },
      });
    },
  },
  {
    id: 'exposure.auth',
    title: 'Nothing is told without a token',
    group: 'Exposure',
    timeoutMs: 15_000,
    async run(context, { signal }) {
      const url = context.serverUrl();
      const attempts: [what: string, headers: Record<string, string>][] = [
        ['without a token', {}],
        ['with an invented token', { authorization: `Bearer ${createToken('a')}` }],
      ];
      for (const [what, headers] of attempts) {
        const status = await statusOf(`${url}/v1/tasks`, headers, signal);
        if (status === 401 || status === 403) continue;
        throw broken({
          what: `${url}/v1/tasks answers ${status} ${what}.`,
          why: 'Whoever reaches the port can do what a token is for.',
          command: 'pao stop',
          evidence: { status, what },
        });
      }
      return { url };
    },
  },
  {
    id: 'exposure.database',
    title: 'The database is not reached over an open line',
    group: 'Exposure',
    async run(context) {
      const { config } = await context.config();
      const open = [config.database_url, config.redis_url].filter(
        (url): url is string => url !== undefined && isOpenLine(url),
      );
      if (open.length === 0) return { database: shownDatabase(await context.databaseUrl()) };
      throw doubtful({
        what: open.map((url) => `${shownDatabase(url)} is reached without TLS.`).join('\n'),
        why: 'Its password and everything in it can be read on the way.',
        command: 'export DATABASE_URL="$DATABASE_URL?sslmode=verify-full"',
        evidence: { urls: open.map(shownDatabase) },
      });
    },
  },
];

/** Whether an address is this machine's alone. */
export function isLocal(host: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/.test(host);
}

function isOpenLine(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, searchParams } = new URL(url);
  if (hostname === '' || isLocal(hostname)) return false;
  if (protocol === 'redis:') return true;
  if (readDatabaseUrl(url)?.engine !== 'postgres') return false;
  const host = searchParams.get('host');
  if (host?.startsWith('/')) return false;
  return !/^(require|verify-ca|verify-full)$/.test(searchParams.get('sslmode') ?? '');
}

const statusOf = async (url: string, headers: Record<string, string>, signal: AbortSignal) =>
  (await ask(url, headers, signal)).status;

/** fetch would not send these headers. */
function ask(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<{ status: number; headers: IncomingHttpHeaders }> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? requestHttps : requestHttp;
    const sent = request(url, { headers, signal, timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, headers: response.headers });
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', (error) =>
      reject(
        signal.aborted
          ? error
          : new CheckSkipped(`${url} does not answer (${error.message}).`, 'pao doctor --only processes.*'),
      ),
    );
    sent.end();
  });
}
