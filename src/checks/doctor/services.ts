import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readDatabaseUrl, shownDatabase } from '../../server/store/database-url.js';
import { CheckSkipped } from '../check.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck } from './finding.js';

const TIMEOUT_MS = 3000;

export const serviceChecks: readonly DoctorCheck[] = [
  {
    id: 'services.postgres',
    title: 'PostgreSQL can be reached',
    group: 'Services',
    timeoutMs: 10_000,
    async run(context, { signal }) {
      const url = await context.databaseUrl();
      if (readDatabaseUrl(url)?.engine !== 'postgres')
        throw new CheckSkipped('The database is SQLite.', 'pao doctor --only database.*');
      const { hostname, port } = new URL(url);
      const host = hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
      try {
        const socket = await open({ host, port: Number(port || 5432), tls: false, signal });
        socket.destroy();
      } catch (error) {
        signal.throwIfAborted();
        throw unreachable('PostgreSQL', url, error, 'pg_isready -d "$DATABASE_URL"');
      }
      return { url: shownDatabase(url) };
    },
  },
  {
    id: 'services.redis',
    title: 'Redis can be reached',
    group: 'Services',
    timeoutMs: 10_000,
    async run(context, { signal }) {
      const url = await redisUrl(context);
      const { hostname, port, protocol, username, password } = new URL(url);
      const host = hostname.replace(/^\[|\]$/g, '') || '127.0.0.1';
      try {
        const target = { host, port: Number(port || 6379), tls: protocol === 'rediss:', signal };
        const answer = await ping(target, decodeURIComponent(username), decodeURIComponent(password));
        if (answer !== '+PONG') throw new Error(`it answers ${answer.slice(0, 80)}`);
      } catch (error) {
        signal.throwIfAborted();
        throw unreachable('Redis', url, error, 'redis-cli -u "$REDIS_URL" ping');
      }
      return { url: shownDatabase(url) };
    },
  },
];

async function redisUrl(context: DoctorContext): Promise<string> {
  const { config } = await context.config().catch(() => {
    throw new CheckSkipped('The configuration is wrong.', 'pao doctor --only config.valid');
  });
  if (/^rediss?:\/\//.test(config.redis_url)) return config.redis_url;
  throw new CheckSkipped('Redis is not used.', 'export REDIS_URL=redis://127.0.0.1:6379');
}

function unreachable(what: string, url: string, error: unknown, command: string) {
  const { code, message } = error as NodeJS.ErrnoException;
  return broken({
    what: `${what} at ${shownDatabase(url)} can not be used: ${code ?? message}.`,
    why: 'pao start system falls back to a local database or bus, or does not start with --strict.',
    command,
    evidence: { url: shownDatabase(url), code: code ?? null },
  });
}

interface Target {
  host: string;
  port: number;
  tls: boolean;
  signal: AbortSignal;
}

function open({ host, port, tls, signal }: Target): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const ends = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
    const socket = tls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
    const stop = () => {
      socket.destroy();
      reject(new Error('no answer in time'));
    };
    ends.addEventListener('abort', stop, { once: true });
    socket.once(tls ? 'secureConnect' : 'connect', () => {
      ends.removeEventListener('abort', stop);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** PING, after AUTH when there is a password (RESP, https://redis.io/docs/reference/protocol-spec). @returns the last line. */
async function ping(target: Target, user: string, password: string): Promise<string> {
  const socket = await open(target);
  const credentials = user === '' ? [password] : [user, password];
  const commands = [...(password === '' ? [] : [['AUTH', ...credentials]]), ['PING']];
  try {
    return await new Promise<string>((resolve, reject) => {
      let text = '';
      socket.setTimeout(TIMEOUT_MS, () => reject(new Error('no answer in time')));
      socket.once('error', reject);
      socket.once('close', () => reject(new Error('it closed the connection')));
      socket.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        const lines = text.split('\r\n').slice(0, -1);
        const refusal = lines.find((line) => line.startsWith('-'));
        if (refusal !== undefined || lines.length >= commands.length) resolve(refusal ?? lines.at(-1) ?? '');
      });
      for (const words of commands) {
        const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
        socket.write(`*${words.length}\r\n${parts.join('')}`);
      }
    });
  } finally {
    socket.destroy();
  }
}
