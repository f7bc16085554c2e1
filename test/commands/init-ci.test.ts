import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { root, runPao } from '../cli/a-process.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-ci-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const init = (...args: string[]) => runPao(['init', 'ci', ...args], { cwd: folder });
const read = (path: string) => readFileSync(join(folder, path), 'utf8');

/** The lines of a text that call pao, as words. */
const calls = (lines: string[]) =>
  lines
    .map((line) => /^(?:pao|run) (.*)$/.exec(line.trim())?.[1] ?? '')
    .filter((line) => line !== '')
    .map((line) =>
      line.replaceAll('$REPORTS', 'reports').replace('${PAO_PROFILE:-standard}', 'quick').split(' '),
    );

describe('pao init ci', () => {
  it('writes a GitHub workflow whose every command is one of pao, with its flags', async () => {
    expect(await init('--github')).toMatchObject({ code: 0 });
    const workflow = parse(read('.github/workflows/pao.yml')) as {
      jobs: { pao: { steps: { run?: string; if?: string }[] } };
    };
    const runs = calls(workflow.jobs.pao.steps.map(({ run = '' }) => run));
    expect(runs.map((words) => words.slice(0, 2).join(' '))).toEqual(
      expect.arrayContaining([
        'test system',
        expect.stringMatching(/^final-validation/),
        expect.stringMatching(/^lint-scheduler/),
      ]),
    );
    for (const words of runs) {
      const { code, stderr } = await runPao([...words, '--list'], { cwd: folder });
      expect({ words, code, stderr: code === 0 ? '' : stderr }).toEqual({ words, code: 0, stderr: '' });
    }
    expect(existsSync(join(folder, 'reports'))).toBe(false);
  });

  it('writes the same commands for GitLab, with JUnit as a report', async () => {
    await init('--github');
    expect(await init('--gitlab')).toMatchObject({ code: 0 });
    const jobs = parse(read('.gitlab-ci.yml')) as Record<
      string,
      { script?: string[]; artifacts?: { reports: object } }
    >;
    const workflow = parse(read('.github/workflows/pao.yml')) as {
      jobs: { pao: { steps: { run?: string }[] } };
    };
    expect(calls(Object.values(jobs).flatMap(({ script = [] }) => script))).toEqual(
      calls(workflow.jobs.pao.steps.map(({ run = '' }) => run)),
    );
    expect(jobs['.pao']?.artifacts?.reports).toEqual({ junit: 'reports/*.xml' });
  });

  it('overwrites nothing without --force, and says what to do', async () => {
    writeFileSync(join(folder, '.gitlab-ci.yml'), 'mine: {}\n');
    const refused = await init('--gitlab');
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain('→ pao init ci --gitlab --output pao.gitlab-ci.yml');
    expect(read('.gitlab-ci.yml')).toBe('mine: {}\n');
    const beside = await init('--gitlab', '--output', 'pao.gitlab-ci.yml');
    expect(beside.stderr).toContain('include: pao.gitlab-ci.yml');
    expect(await init('--gitlab', '--force')).toMatchObject({ code: 0 });
    expect(read('.gitlab-ci.yml')).toContain('pao final-validation');
  });

  it('wants one platform, and names them', async () => {
    const { code, stderr } = await init();
    expect(code).toBe(2);
    expect(stderr).toContain('--github');
  });

  it('writes a script that runs every check, leaves the reports, and ends with 1 when one failed', async () => {
    expect(await init('--generic')).toMatchObject({ code: 0 });
    const script = join(folder, 'ci', 'pao.sh');
    expect(statSync(script).mode & 0o111).not.toBe(0);
    // The long ones are proved by .ci/run; here they only have to be reached after one that fails.
    const narrower = {
      'run test system': 'run test system --only no.such',
      'run final-validation': 'run final-validation --only agents.register',
      'run lint-scheduler': 'run lint-scheduler tasks.yaml',
      'run check observability': 'run check observability --only metrics.exposition',
    };
    let text = read('ci/pao.sh');
    for (const [whole, part] of Object.entries(narrower)) text = text.replace(`\n${whole} `, `\n${part} `);
    writeFileSync(script, text);
    writeFileSync(
      join(folder, 'tasks.yaml'),
      'name: hello\npipeline:\n  - { id: echo, uses: debug.echo, with: { text: hello } }\n',
    );
    const { code, output } = await sh(script, {
      PAO: `${process.execPath} ${join(root, 'bin', 'run.cjs')}`,
      PAO_PROFILE: 'quick',
    });
    expect(output).toMatch(/1 of \d failed; reports are in reports/);
    expect(code).toBe(1);
    const reports = readdirSync(join(folder, 'reports'));
    expect(reports).toEqual(
      expect.arrayContaining(['final-validation.html', 'final-validation.xml', 'lint-scheduler.sarif']),
    );
  });
});

function sh(script: string, env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn('sh', [script], {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: folder, LANG: 'C.UTF-8', PAO_HOME: join(folder, 'data'), ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}
