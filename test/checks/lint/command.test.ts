import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CONTRACT_SOURCES, OWN_SOURCES, ownFiles } from '../../../src/checks/lint/find-files.js';
import type { LintReport } from '../../../src/checks/lint/report/suite-report.js';
import { RULES } from '../../../src/checks/lint/rules.js';
import { runPao } from '../../cli/a-process.js';
import { runCommand } from '../../commands/run-command.js';
import { packageRoot } from './lint-text.js';

const CLEAN = 'name: clean\npipeline:\n  - { id: a, uses: time.now }\n';
const WARNS = 'name: warns\npipeline:\n  - { id: a, uses: chat.read }\n';
const FAILS = 'name: fails\npipelin: []\npipeline:\n  - { id: a, uses: time.now }\n';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-lint-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
const lint = (args: string[], env: Record<string, string> = {}) =>
  runCommand('lint-scheduler', args, { cwd: folder, env });

describe('pao lint-scheduler', () => {
  it('finds nothing in the scheduler of this installation', async () => {
    const { exitCode, stdout } = await lint([]);
    expect(stdout).toMatch(/^✔ lint-scheduler: clean \(\d+ files, \d+ rules, /);
    expect(exitCode).toBe(0);
  });

  it('looks at the task files of the project as well', async () => {
    put('fails.yaml', FAILS);
    put('other.json', '{"somebody": "else"}');
    put('pao.config.yaml', 'timezone: UTC\n');
    mkdirSync(join(folder, 'tasks', 'more'), { recursive: true });
    put('tasks/more/warns.yml', WARNS);
    const { exitCode, stdout } = await lint(['--json']);
    const report = JSON.parse(stdout) as LintReport;
    expect(report.findings.map(({ file, rule, line }) => [file, rule, line])).toEqual([
      ['fails.yaml', 'unknown-key', 2],
      ['tasks/more/warns.yml', 'call-timeout', 3],
    ]);
    expect([exitCode, report.status, report.tasks]).toEqual([1, 'failed', 2]);
  });

  it('shows the line, where in it, the rule, and what to do', async () => {
    put('fails.yaml', FAILS);
    const { stdout, stderr } = await lint(['fails.yaml']);
    expect(stdout).toBe(`fails.yaml:2:1 error /pipelin unknown key "pipelin" unknown-key
  1 | name: fails
> 2 | pipelin: []
    | ^^^^^^^
  3 | pipeline:
→ Did you mean "pipeline"?

✖ lint-scheduler: 1 error, 0 warnings (1 file, 1 task, 23 rules, ${/23 rules, (.*)\)/.exec(stdout)?.[1]})
`);
    expect(stderr).toBe('');
  });

  it('ends with 0 for warnings, with 1 for them under --strict, and with 1 for errors', async () => {
    put('warns.yaml', WARNS);
    put('fails.yaml', FAILS);
    put('clean.yaml', CLEAN);
    expect((await lint(['clean.yaml', '--strict'])).exitCode).toBe(0);
    expect((await lint(['warns.yaml'])).exitCode).toBe(0);
    expect((await lint(['warns.yaml', '--strict'])).exitCode).toBe(1);
    expect((await lint(['fails.yaml'])).exitCode).toBe(1);
  });

  it('ends with 2 for a path that is not there, a file of another kind and an unknown rule', async () => {
    put('tasks.yaml', CLEAN);
    const [path, kind, rule] = [
      await lint(['taks.yaml']),
      await lint([join(packageRoot, 'LICENSE')]),
      await lint(['--only', 'injected-clok']),
    ];
    expect(path).toMatchObject({ exitCode: 2, error: { hints: ['Did you mean tasks.yaml?'] } });
    expect(kind).toMatchObject({ exitCode: 2, error: { code: 'PAO_LINT_KIND' } });
    expect(rule).toMatchObject({
      exitCode: 2,
      error: { hints: ['Did you mean injected-clock?', 'pao lint-scheduler --list'] },
    });
  });

  it('applies what pao.config.yaml says about rules', async () => {
    put('warns.yaml', WARNS);
    put('pao.config.yaml', 'lint: { rules: { call-timeout: error } }\n');
    expect((await lint(['warns.yaml'])).exitCode).toBe(1);
    put('pao.config.yaml', 'lint: { rules: { call-timeout: off } }\n');
    expect((await lint(['warns.yaml', '--strict'])).exitCode).toBe(0);
    // Asked for by name, it is applied all the same.
    expect((await lint(['warns.yaml', '--strict', '--only', 'call-*'])).exitCode).toBe(1);
    put('pao.config.yaml', 'lint: { rules: { call-timout: off } }\n');
    const { exitCode, error } = await lint(['warns.yaml']);
    expect([exitCode, error?.problems[0]?.hint]).toEqual([2, 'Did you mean "call-timeout"?']);
  });

  it('looks at a folder: at code and tasks, not at tests, declarations and what is installed', async () => {
    mkdirSync(join(folder, 'node_modules'));
    for (const name of ['a.ts', 'a.test.ts', 'a.d.ts', 'b.mjs', 'node_modules/c.ts'])
      put(name, 'export const at = Date.now();\n');
    put('warns.yaml', WARNS);
    put('package.json', '{"name": "x"}');
    // Somebody else's YAML is none of our business; a task that can not be read is.
    put('compose.yaml', 'services: &a\n  <<: *b\n');
    put('broken.yaml', 'name: x\npipeline: [\n');
    const { findings } = JSON.parse((await lint(['.', '--json'])).stdout) as LintReport;
    expect(findings.map(({ file }) => file)).toEqual(['a.ts', 'b.mjs', 'broken.yaml', 'warns.yaml']);
  });

  it('writes SARIF that keeps the schema of 2.1.0', async () => {
    put('fails.yaml', FAILS);
    put('a b.ts', 'const at = Date.now(); // 😀\n');
    expect((await lint(['fails.yaml', 'a b.ts', '--sarif', 'out/lint.sarif'])).exitCode).toBe(1);
    const sarif = JSON.parse(readFileSync(join(folder, 'out', 'lint.sarif'), 'utf8')) as {
      runs: {
        results: { ruleId: string; ruleIndex: number; locations: { physicalLocation: object }[] }[];
        tool: { driver: { rules: { id: string }[] } };
      }[];
    };
    const schema = JSON.parse(
      readFileSync(new URL('fixtures/sarif-2.1.0-schema.json', import.meta.url), 'utf8'),
    ) as Record<string, unknown>;
    // The schema is written in draft 4; what differs are the names of these two.
    delete schema['$schema'];
    delete schema['id'];
    const ajv = new Ajv({
      strict: false,
      unicodeRegExp: false,
      formats: { uri: true, 'uri-reference': true, 'date-time': true },
    });
    expect([ajv.validate(schema, sarif), ajv.errors]).toEqual([true, null]);
    expect(ajv.validate(schema, { ...sarif, version: '2.0' })).toBe(false);
    const [run] = sarif.runs;
    expect(
      run?.results.map(({ ruleId, ruleIndex }) => [ruleId, run.tool.driver.rules[ruleIndex]?.id]),
    ).toEqual([
      ['unknown-key', 'unknown-key'],
      ['injected-clock', 'injected-clock'],
    ]);
    expect(run?.results[1]?.locations[0]?.physicalLocation).toEqual({
      artifactLocation: { uri: 'a%20b.ts', uriBaseId: '%SRCROOT%' },
      region: { startLine: 1, startColumn: 12, endLine: 1, endColumn: 22 },
    });
  });

  it('writes the reports of suites, with a case for each rule', async () => {
    put('fails.yaml', FAILS);
    await lint(['fails.yaml', '--junit', 'lint.xml', '--report', 'lint.md']);
    const junit = readFileSync(join(folder, 'lint.xml'), 'utf8');
    expect(junit).toContain(`tests="${RULES.length}" failures="1"`);
    expect(junit).toContain('fails.yaml:2:1 /pipelin unknown key');
    expect(readFileSync(join(folder, 'lint.md'), 'utf8')).toContain('unknown-key');
  });

  it('annotates the lines on GitHub', async () => {
    put('fails.yaml', FAILS);
    const { stderr } = await lint(['fails.yaml'], { GITHUB_ACTIONS: 'true' });
    expect(stderr).toBe(
      '::error file=fails.yaml,line=2,col=1,endLine=2,endColumn=8,title=unknown-key::/pipelin unknown key "pipelin"%0A→ Did you mean "pipeline"?\n',
    );
  });

  it('mends with --fix and leaves its own sources alone', async () => {
    put('fails.yaml', FAILS.replace('pipelin: []\npipeline', 'pipelin'));
    const { stdout, exitCode } = await lint(['fails.yaml', '--fix']);
    expect([exitCode, /clean, 1 fixed/.test(stdout)]).toEqual([0, true]);
    expect(readFileSync(join(folder, 'fails.yaml'), 'utf8')).toBe(FAILS.replace('pipelin: []\n', ''));
    expect(ownFiles(packageRoot).every(({ isOwn }) => isOwn)).toBe(true);
  });

  it('lists its rules, each with a page that explains it', async () => {
    const { rules } = JSON.parse((await lint(['--list', '--json'])).stdout) as {
      rules: { id: string; docs: string }[];
    };
    expect(rules.map(({ id }) => id)).toEqual(RULES.map(({ id }) => id));
    for (const { docs, id } of rules)
      expect(readFileSync(join(packageRoot, docs), 'utf8')).toMatch(new RegExp(`^# ${id}\n`));
    expect(readdirSync(join(packageRoot, 'docs', 'lint'))).toHaveLength(RULES.length);
    const { stdout } = await lint(['--list', '--only', '*-clock']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  it('finds the sources it needs in the published package', () => {
    const { files } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as {
      files: string[];
    };
    const isPublished = (path: string) =>
      files.some((pattern) => {
        const prefix = pattern.replace(/\/\*\*\/\*\.ts$/, '');
        return path === prefix || path.startsWith(`${prefix}/`);
      });
    expect([...OWN_SOURCES, ...CONTRACT_SOURCES].filter((path) => !isPublished(path))).toEqual([]);
    expect(CONTRACT_SOURCES.filter((path) => !existsSync(join(packageRoot, path)))).toEqual([]);
  });

  it('works as it is built', async () => {
    const { code, stdout, stderr } = await runPao(['lint-scheduler', '--json']);
    const { status, suite } = JSON.parse(stdout) as LintReport;
    expect([code, status, suite, stderr]).toEqual([0, 'passed', 'lint-scheduler', '']);
  });
});
