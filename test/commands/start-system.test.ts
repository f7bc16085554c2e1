import { rmSync } from 'node:fs';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../free-port.js';
import { type RedisServer, startRedis } from '../server/bus/a-redis.js';
import { runPao, startPao } from '../e2e/start-pao.js';

let home: string;
let redis: RedisServer | null = null;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pao-system-'));
});
afterEach(async () => {
  await redis?.stop();
  redis = null;
  rmSync(home, { recursive: true, force: true });
});

interface Health {
  status: string;
  checks: { name: string; status: string; message: string }[];
}

describe('pao start system', () => {
  it('--strict refuses with exit code 3 what does not answer: where, why, and what to type', async () => {
    const port = await freePort();
    const { code, stdout, stderr } = await runPao(
      [
        'start',
        'system',
        '--port',
        '0',
        '--redis',
        `redis://:geheim@127.0.0.1:${port}`,
        '--wait',
        '1s',
        '--strict',
      ],
      { home },
    );
    expect(code).toBe(3);
    expect(stdout).toBe('');
    expect(stderr).toContain('Trying again');
    expect(stderr).toContain(`Redis at 127.0.0.1:${port} can not be reached (ECONNREFUSED)`);
    expect(stderr).toContain(`redis-cli -u redis://:***@127.0.0.1:${port} ping`);
    expect(stderr).not.toContain('geheim');
  });

  it('goes on without Redis, says so, works, and takes it up when it comes', async () => {
    redis = await startRedis();
    await redis.kill();
    const pao = await startPao({ home, verb: 'system', args: ['--redis', redis.url, '--wait', '0s'] });
    const health = async () => (await pao.api<Health>('GET', '/health')).body;
    const bus = async () => (await health()).checks.find(({ name }) => name === 'bus');
    expect(pao.output()).toContain('This start goes on without it');
    expect(await bus()).toMatchObject({ status: 'warn' });
    expect((await health()).status).toBe('degraded');
    const task = { name: 'one', pipeline: [{ id: 'say', uses: 'debug.echo', with: { a: 1 } }] };
    expect((await pao.api('POST', '/v1/tasks', task)).status).toBe(201);
    const run = await pao.api<{ status: string }>('POST', '/v1/tasks/one/run?wait=20s');
    expect(run.body.status).toBe('succeeded');
    await redis.restart();
    await expect.poll(bus, { timeout: 30_000 }).toMatchObject({ status: 'pass', message: 'redis bus' });
    expect((await pao.api<{ status: string }>('POST', '/v1/tasks/one/run?wait=20s')).body.status).toBe(
      'succeeded',
    );
    await pao.stop();
  });

  it('writes what happens to the stream, in order', async () => {
    redis = await startRedis();
    const pao = await startPao({ home, verb: 'system', args: ['--redis', redis.url] });
    const task = { name: 'one', pipeline: [{ id: 'say', uses: 'debug.echo', with: { a: 1 } }] };
    await pao.api('POST', '/v1/tasks', task);
    await pao.api('POST', '/v1/tasks/one/run?wait=20s');
    await pao.api('POST', '/v1/events', { topic: 'mail.received', payload: { n: 1 } });
    const { Redis } = await import('ioredis');
    const reader = new Redis(redis.url);
    const types = async () => (await reader.xrange('pao:events', '-', '+')).map(([, fields]) => fields[1]);
    await expect
      .poll(types, { timeout: 20_000 })
      .toEqual(
        expect.arrayContaining(['task.created', 'run.started', 'run.succeeded', 'event.mail.received']),
      );
    const order = (await types()).filter((type) => type?.startsWith('run.'));
    expect(order).toEqual(['run.started', 'run.succeeded']);
    reader.disconnect();
    await pao.stop();
  });
});
