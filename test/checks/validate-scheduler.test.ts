import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SuiteReport } from '../../src/checks/check.js';
import { runPao } from '../cli/a-process.js';
import { runCommand } from '../commands/run-command.js';

const FILE = `name: one
schedule: { kind: cron, expr: "61 * * * *", timezone: UTC }
pipeline:
  - { id: a, uses: debug.echo }
---
name: two
schedule:
  kind: rrule
  expr: FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0
  timezone: Europe/Berlin
pipeline:
  - { id: a, uses: debug.echo }
---
name: three
schedule: { kind: event, topic: mail.received }
pipeline:
  - { id: a, uses: debug.echo }
`;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-validate-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const validate = (args: string[], env: Record<string, string> = {}) =>
  runCommand('validate:scheduler', args, { cwd: folder, env });
const reportOf = async (args: string[]) =>
  JSON.parse((await validate([...args, '--json'])).stdout) as SuiteReport;

describe('pao validate scheduler', () => {
  it('proves this installation, as it is built, without a server', async () => {
    const { code, stdout } = await runPao(['validate', 'scheduler', '--json', '--junit', 'report.xml'], {
      cwd: folder,
    });
    const { checks, totals, target } = JSON.parse(stdout) as SuiteReport;
    expect(checks.filter(({ status }) => status !== 'passed')).toEqual([]);
    expect([code, totals.passed]).toEqual([0, checks.length]);
    expect(target).toEqual({ url: null, store: 'sqlite', bus: 'memory', ephemeral: true });
    const speed = checks.find(({ id }) => id === 'speed.next')?.evidence['next_per_second'];
    expect(Object.values(speed as Record<string, number>).every((rate) => rate > 0)).toBe(true);
    expect(readFileSync(join(folder, 'report.xml'), 'utf8')).toContain('failures="0"');
  });

  it('says of expressions what they mean and when they fire', async () => {
    const { checks } = await reportOf([
      '0 9 * * 1-5',
      '2030-12-24T18:00:00+01:00',
      'FREQ=DAILY;COUNT=3',
      '--timezone',
      'Europe/Chisinau',
      '--count',
      '2',
      '--dtstart',
      '2030-06-01T09:00:00',
    ]);
    expect(checks.map(({ status, evidence }) => [status, evidence['kind'], evidence['timezone']])).toEqual([
      ['passed', 'cron', 'Europe/Chisinau'],
      ['passed', 'once', 'Europe/Chisinau'],
      ['passed', 'rrule', 'Europe/Chisinau'],
    ]);
    expect(checks[0]?.evidence['words']).toMatch(/^every weekday at 09:00 \(Europe\/Chisinau\); next /);
    expect(checks[1]?.evidence['next']).toEqual([
      { at: '2030-12-24T17:00:00Z', local: '2030-12-24T19:00:00+02:00' },
    ]);
    expect(checks[2]?.evidence['next']).toEqual([
      { at: '2030-06-01T06:00:00Z', local: '2030-06-01T09:00:00+03:00' },
      { at: '2030-06-02T06:00:00Z', local: '2030-06-02T09:00:00+03:00' },
    ]);
  });

  it('shows them to people, and says which zone it took', async () => {
    const { stdout, stderr, exitCode } = await validate(['0 9 * * *', '-n', '1']);
    expect(stdout).toMatch(
      /^✔ 0 9 \* \* \*\n {2}every day at 09:00 \(UTC\); next .*\n {2}next {2}\w+ .* UTC {2}\S+T09:00:00Z\n\n✔ validate-scheduler: 1 passed/,
    );
    expect(stderr).toContain('No zone is given: UTC counts');
    expect(exitCode).toBe(0);
    // A zone of the configuration was chosen.
    expect((await validate(['0 9 * * *'], { PAO_TIMEZONE: 'Asia/Tokyo' })).stderr).not.toContain('No zone');
  });

  it.each([
    ['FREQ=DAYLY', 'FREQ=DAILY'],
    ['FREQ=WEEKLY;BYDAY=MOO', 'FREQ=WEEKLY;BYDAY=MO'],
    ['@dayly', '@daily'],
    ['0 9 * * MONN', '0 9 * * MON'],
    ['15m', 'FREQ=MINUTELY;INTERVAL=15'],
    ['every weekday at 9', 'FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR;BYHOUR=9;BYMINUTE=0;BYSECOND=0'],
  ])('refuses %s and names what was meant', async (expr, meant) => {
    const { exitCode, stdout } = await validate([expr]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(`→ Did you mean "${meant}"?`);
  });

  it('warns, and fails for that under --strict', async () => {
    const given = ['0 8 13 * 5', '--timezone', 'UTC'];
    expect((await reportOf(given)).checks[0]).toMatchObject({
      status: 'warned',
      error: expect.stringMatching(/it fires when either matches/),
    });
    expect((await validate(given)).exitCode).toBe(0);
    expect((await validate([...given, '--strict'])).exitCode).toBe(1);
  });

  it('checks the tasks of a file, with the place of what is wrong', async () => {
    writeFileSync(join(folder, 'tasks.yaml'), FILE);
    const { checks } = await reportOf(['--file', 'tasks.yaml']);
    expect(checks.map(({ title, status }) => [title, status])).toEqual([
      ['one (tasks.yaml)', 'failed'],
      ['two (tasks.yaml)', 'warned'],
      ['three (tasks.yaml)', 'passed'],
    ]);
    expect(checks[0]?.error).toBe('tasks.yaml:2:25 The minute field has "61"; its values are 0 to 59.');
    expect(checks[1]?.error).toMatch(/^tasks\.yaml:9:3 .*does not exist, the clock jumps over it/);
    expect((await validate(['--file', 'tasks.yaml'])).exitCode).toBe(1);
    writeFileSync(join(folder, 'broken.yaml'), 'name: [\n');
    expect((await reportOf(['--file', 'broken.yaml'])).checks[0]?.error).toMatch(/^broken\.yaml:2:1 /);
  });

  it.each([
    [
      'a zone that there is not',
      ['0 9 * * *', '--timezone', 'Europe/Chisinao'],
      'Did you mean Europe/Chisinau?',
    ],
    ['a file that is not there', ['--file', 'taks.yaml'], 'Did you mean tasks.yaml?'],
    ['an expression without quotes', ['0', '9', '*', '*', '1-5'], 'pao validate scheduler "0 9 * * 1-5"'],
    [
      'a start without a rule',
      ['0 9 * * *', '--dtstart', '2026-01-01'],
      'pao validate scheduler "FREQ=DAILY;INTERVAL=2" --dtstart 2026-11-24T09:00:00',
    ],
    ['a check that there is not', ['--only', 'patterns.corn'], 'Did you mean patterns.cron?'],
  ])('ends with 2 for %s', async (_what, args, hint) => {
    writeFileSync(join(folder, 'tasks.yaml'), FILE);
    expect(await validate(args)).toMatchObject({
      exitCode: 2,
      error: { hints: expect.arrayContaining([hint]) },
    });
  });
});
