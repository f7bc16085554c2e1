import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runPao } from '../e2e/start-pao.js';

let home: string;
let server: Server;
let answer: { status: number; body: string };
let asked: (string | undefined)[];

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'pao-status-'));
  asked = [];
  server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization}`);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(home, { recursive: true, force: true });
});

function status(...flags: string[]) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return runPao(['status', '--url', url, ...flags], { home, env: { PAO_TOKEN: 'pao_a' } });
}

function report(status: string, check: object) {
  const part = { name: 'workers', since: '2024-03-01T08:00:00Z', duration_ms: 1, hint: null };
  return JSON.stringify({ status, version: '9.9.9', uptime_seconds: 200, checks: [{ ...part, ...check }] });
}

describe('pao status', () => {
  it('says which part is not well, what to do, and ends with 0 while requests are served', async () => {
    answer = {
      status: 200,
      body: report('degraded', { status: 'warn', message: '1 of 2 alive', hint: 'pao logs --level warn' }),
    };
    const result = await status();
    expect(result.code).toBe(0);
    expect(result.stdout).toMatch(/pao 9\.9\.9 is degraded at .*up 3m 20s/);
    expect(result.stdout).toMatch(/workers\s+1 of 2 alive/);
    expect(result.stderr).toContain('pao logs --level warn');
    expect(asked.sort()).toEqual([
      '/health Bearer pao_a',
      '/v1/tasks?state=paused&limit=1000 Bearer pao_a',
      '/v1/workers Bearer pao_a',
    ]);
  });

  it('shows the report of an unhealthy server, which answers 503, and ends with 3', async () => {
    answer = {
      status: 503,
      body: report('unhealthy', { status: 'fail', message: 'the store is gone', hint: 'pao doctor' }),
    };
    const result = await status('--json');
    expect(result.code).toBe(3);
    expect(JSON.parse(result.stdout)).toMatchObject({
      status: 'unhealthy',
      checks: [{ message: 'the store is gone' }],
    });
  });

  it('takes the refusal of something in between for what it is', async () => {
    answer = { status: 503, body: 'upstream is gone' };
    const result = await status();
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toContain('upstream is gone');
  });

  it('does not take another server for pao', async () => {
    answer = { status: 200, body: '{"status":"UP"}' };
    const result = await status();
    expect(result).toMatchObject({ code: 3, stdout: '' });
    expect(result.stderr).toContain('does not answer as pao does');
  });
});
