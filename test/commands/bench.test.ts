import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BenchDocument } from '../../src/commands/bench.js';
import { runPao } from '../cli/a-process.js';

let temporary: string;

beforeEach(() => {
  temporary = mkdtempSync(join(tmpdir(), 'pao-test-bench-'));
});
afterEach(() => rmSync(temporary, { recursive: true, force: true }));

describe('pao bench', () => {
  it('measures a system of its own and leaves nothing behind', async () => {
    const { code, stdout, stderr } = await runPao(['bench', '--runs', '200', '--json'], {
      env: { TMPDIR: temporary },
    });
    expect({ code, stderr: code === 0 ? '' : stderr + stdout }).toEqual({ code: 0, stderr: '' });
    const { system, recurrence, machine } = JSON.parse(stdout) as BenchDocument;
    expect(machine.before.cpus).toBeGreaterThan(0);
    expect(recurrence?.slowest_per_second).toBeGreaterThan(0);
    expect(system).toMatchObject({
      start_latency_ms: { n: 100 },
      drain: { runs: 200 },
      idle: { processes: 5 },
    });
    for (const figure of [system?.ready_ms, system?.drain.runs_per_second, system?.database_bytes_per_run])
      expect(figure).toBeGreaterThan(0);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('is ended by Ctrl-C while its system does nothing, and takes it down', async () => {
    const { code } = await runPao(['bench', '--only', 'system'], {
      env: { TMPDIR: temporary },
      meanwhile: (child) =>
        new Promise((resolve) =>
          child.stderr?.on('data', (text: string) => {
            if (!text.includes('Doing nothing')) return;
            child.kill('SIGINT');
            resolve();
          }),
        ),
    });
    expect(code).toBe(130);
    expect(readdirSync(temporary)).toEqual([]);
  });
});
