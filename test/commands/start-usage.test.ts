import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runPao } from '../e2e/start-pao.js';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'pao-start-usage-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const pao = (args: string[], env: Record<string, string> = {}) => runPao(args, { home, env });

describe('pao start, used wrongly', () => {
  it('explains itself when it is not told where to start', async () => {
    const result = await pao(['start']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(result.stdout).toContain('start local');
    expect(existsSync(join(home, 'run'))).toBe(false);
  });

  it('asks for the missing word when only flags are given', async () => {
    const result = await pao(['start', '--port', '8090']);
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toContain('pao start local --port 8090');
  });

  it('refuses a test clock that is no instant, before anything runs', async () => {
    const result = await pao(['start', 'local', '--port', '0'], { PAO_TEST_CLOCK: 'yesterday' });
    expect(result.code).toBe(2);
    expect(result.stderr).toContain('PAO_TEST_CLOCK');
    expect(existsSync(join(home, 'orchestrator.db'))).toBe(false);
  });

  it('refuses a time zone that there is not, with the nearest, and a database that no two processes share', async () => {
    const zone = await pao(['start', 'local', '--port', '0'], { PAO_TIMEZONE: 'Europe/Berln' });
    expect(zone.code).toBe(2);
    expect(zone.stderr).toContain('/timezone: "Europe/Berln" is not a time zone (set by PAO_TIMEZONE)');
    expect(zone.stderr).toContain('Did you mean Europe/Berlin?');
    const memory = await pao(['start', 'local', '--port', '0'], { DATABASE_URL: 'sqlite::memory:' });
    expect(memory.code).toBe(2);
    expect(memory.stderr).toContain('A database in memory can not be shared by the processes of pao.');
  });
});

describe('where nothing runs', () => {
  it('stop is content, status is not', async () => {
    const stop = await pao(['stop', '--json']);
    expect(stop.code).toBe(0);
    expect(JSON.parse(stop.stdout)).toEqual({ stopped: false, home });
    const status = await pao(['status']);
    expect(status.code).toBe(3);
    expect(status.stderr).toContain('pao start local');
  });
});
