import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SuiteReport } from '../../src/checks/check.js';
import { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { root, runPao } from '../cli/a-process.js';

let folder: string;
let temporary: string;
/** What a suite starts goes below TMPDIR: what is left there was left behind. */
let env: Record<string, string>;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-test-system-'));
  temporary = mkdtempSync(join(folder, 'tmp-'));
  env = { TMPDIR: temporary };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const report = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as SuiteReport;

describe('pao test system', () => {
  it('passes on a system of its own, writes its reports, and leaves nothing behind', async () => {
    const files = ['r.html', 'r.md', 'r.tap', 'sub/r.xml'].flatMap((name) => [
      '--report',
      join(folder, name),
    ]);
    const { code, stdout, stderr } = await runPao(
      ['test', 'system', '--json', '--junit', join(folder, 'junit.xml'), ...files],
      { env },
    );
    expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout) as SuiteReport;
    expect(document).toMatchObject({
      suite: 'test-system',
      status: 'passed',
      target: { store: 'sqlite', bus: 'memory', ephemeral: true },
      totals: { failed: 0, warned: 0, skipped: 0 },
    });
    expect(readFileSync(join(folder, 'junit.xml'), 'utf8')).toBe(
      readFileSync(join(folder, 'sub/r.xml'), 'utf8'),
    );
    expect(
      readdirSync(folder)
        .filter((name) => name.startsWith('r.'))
        .toSorted(),
    ).toEqual(['r.html', 'r.md', 'r.tap']);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('checks a running system and removes what it made there', async () => {
    const system = await EphemeralSystem.start({ packageRoot: root, signal: new AbortController().signal });
    try {
      const { code, stdout, stderr } = await runPao(['test', 'system', '--target', system.url], {
        env: { ...env, PAO_TOKEN: system.token },
      });
      expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^✔ test-system: 15 passed, 1 skipped in /);
      expect(stdout).toContain('skipped stop.graceful: There is no system of its own (leave out --target).');
      expect((await system.client.listTasks({ state: 'active' })).items).toEqual([]);
      const { items } = await system.client.listAgents();
      expect(items.filter((agent) => agent.disabled_at === null).map(({ name }) => name)).toEqual(['admin']);
      const tools = await system.client.listTools();
      expect(tools.items.filter(({ address }) => address.startsWith('check-'))).toEqual([]);
    } finally {
      await system.dispose();
    }
  });

  it('stops at Ctrl-C, takes its system down and still reports what ran', async () => {
    const { code } = await runPao(['test', 'system', '--report', join(folder, 'r.json')], {
      env,
      meanwhile: (child) =>
        new Promise((resolve) =>
          child.stderr?.on('data', (text: string) => {
            if (!text.includes('health.live')) return;
            child.kill('SIGINT');
            resolve();
          }),
        ),
    });
    expect(code).toBe(130);
    const { status, totals, checks } = report('r.json');
    expect(status).toBe('failed');
    expect(totals.passed).toBeGreaterThan(0);
    expect(checks.find(({ id }) => id === 'stop.graceful')).toMatchObject({
      status: 'skipped',
      error: 'Not run: interrupted.',
    });
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('refuses before it starts: an unknown check, a report that can not be written, a format it does not know', async () => {
    writeFileSync(join(folder, 'file'), '');
    const attempts = {
      PAO_CHECK_UNKNOWN: ['--only', 'health.lice'],
      PAO_REPORT_UNWRITABLE: ['--junit', join(folder, 'file', 'r.xml')],
      PAO_REPORT_FORMAT: ['--report', 'r.docx'],
      PAO_USAGE: ['--token', 'pao_x'],
    };
    for (const [error, args] of Object.entries(attempts)) {
      const { code, stdout } = await runPao(['test', 'system', '--json', ...args], { env });
      expect([code, (JSON.parse(stdout) as { error: { code: string } }).error.code]).toEqual([2, error]);
    }
  });

  it('says that nothing answers, and reports every check as not run', async () => {
    const { code, stderr } = await runPao(
      [
        'test',
        'system',
        '--target',
        'http://127.0.0.1:9',
        '--token',
        'pao_x',
        '--report',
        join(folder, 'r.json'),
      ],
      { env },
    );
    expect(code).toBe(3);
    expect(stderr).toContain('No server answers at http://127.0.0.1:9');
    expect(report('r.json')).toMatchObject({ status: 'failed', totals: { passed: 0, skipped: 16 } });
  });

  it('lists its checks without running one', async () => {
    const { code, stdout } = await runPao(['test', 'system', '--list', '--json', '--only', 'run.*'], { env });
    expect(code).toBe(0);
    expect((JSON.parse(stdout) as { checks: { id: string }[] }).checks.map(({ id }) => id)).toEqual([
      'heartbeat.worker',
      'run.end_to_end',
    ]);
  });
});
