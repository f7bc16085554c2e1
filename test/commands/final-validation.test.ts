import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EphemeralSystem } from '../../src/checks/ephemeral-system.js';
import { root, runPao } from '../cli/a-process.js';

let folder: string;
let env: Record<string, string>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-final-'));
  const temporary = mkdtempSync(join(folder, 'tmp-'));
  env = { TMPDIR: temporary };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const final = (...args: string[]) => runPao(['final-validation', '--profile', 'quick', ...args], { env });

describe('pao final-validation', () => {
  it('keeps its measures, and fails when the next run is far worse than they are', async () => {
    const file = join(folder, 'baseline.json');
    const first = await final('--only', 'load.api', '--save-baseline', file, '--json');
    expect({ code: first.code, stderr: first.code === 0 ? '' : first.stderr }).toEqual({
      code: 0,
      stderr: '',
    });
    const baseline = JSON.parse(readFileSync(file, 'utf8')) as {
      measures: Record<string, { per_second: number }>;
    };
    const measure = baseline.measures['load.api'] as { per_second: number };
    expect(measure.per_second).toBeGreaterThan(0);
    writeFileSync(
      file,
      JSON.stringify({ ...baseline, measures: { 'load.api': { ...measure, per_second: 1e9 } } }),
    );
    const second = await final('--only', 'load.api', '--baseline', file);
    expect(second.code).toBe(1);
    expect(second.stdout).toContain('More than 50 % worse than');
    expect(second.stdout).toContain(`→ pao final-validation --only load.api --save-baseline ${file}`);
    expect(readdirSync(env['TMPDIR'] as string)).toEqual([]);
  });

  it('compares tasks and due times of before and after an upgrade', async () => {
    const system = await EphemeralSystem.start({ packageRoot: root, signal: new AbortController().signal });
    try {
      const { id } = await system.client.createTask({
        name: 'kept',
        schedule: { kind: 'cron', expr: '0 8 * * *', timezone: 'Europe/Berlin' },
        pipeline: [{ id: 'echo', uses: 'debug.echo' }],
      });
      const file = join(folder, 'before.json');
      const target = ['--target', system.url, '--token', system.token, '--snapshot', file, '--only'];
      expect(await final(...target, 'tasks.invalid')).toMatchObject({ code: 0 });
      const good = await final(...target, 'upgrade.*', '--post-upgrade');
      expect(good.stdout).toMatch(/^✔ final-validation: 2 passed/);
      await system.client.pauseTask(id);
      const bad = await final(...target, 'upgrade.*', '--post-upgrade');
      expect(bad.code).toBe(1);
      expect(bad.stdout).toContain('Tasks changed: kept: active, now paused.');
    } finally {
      await system.dispose();
    }
  });

  it('refuses a baseline that is none, before anything starts', async () => {
    const file = join(folder, 'baseline.json');
    writeFileSync(file, '{"profile":"full","measures":{}}');
    expect(await final('--baseline', file)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('measured with the profile full, not quick'),
    });
    expect(await final('--baseline', join(folder, 'nothing.json'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('can not be read (ENOENT)'),
    });
  });
});
