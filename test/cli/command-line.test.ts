import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../src/cli/exit-codes.js';
import { EXIT } from '../../src/domain/errors.js';
import { root, runPao } from './a-process.js';

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

describe('pao', () => {
  it.each([['--version'], ['-v'], ['--version', 'x']])('says its version for %s %s', async (...args) => {
    const { code, stdout, stderr } = await runPao(args);
    expect(stdout).toBe(`pao/${version} ${process.platform}-${process.arch} node-${process.version}\n`);
    expect([code, stderr]).toEqual([0, '']);
  });

  it.each([[], ['--help'], ['-h'], ['help']])('shows the first page for "%s"', async (...args) => {
    const { code, stdout, stderr } = await runPao(args);
    expect(stdout).toMatch(/^Personal Agent Orchestrator[\s\S]+START HERE[\s\S]+pao start local/);
    // Every command that is not hidden is on it.
    for (const word of ['init', 'completion', 'version'])
      expect(stdout).toMatch(new RegExp(`^  ${word}\\b`, 'm'));
    expect([code, stderr]).toEqual([0, '']);
  });

  it('says its version as JSON, and tells where it can not be written', async () => {
    const { stdout } = await runPao(['--version', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ pao: version, node: process.version });
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'bin', 'run.cjs'), '--version'], {
      stdio: ['ignore', full, 'pipe'],
      encoding: 'utf8',
    });
    closeSync(full);
    expect([status, stderr]).toEqual([3, '✖ The disk is full. (PAO_DISK_FULL)\n→ df -h\n']);
  });

  it('never passes for a gate that checked nothing', async () => {
    const wrong = [
      [
        ['check', '--strict', '--junit', 'r.xml'],
        'pao check does nothing by itself: add one of observability and security.',
      ],
      [['validate', '--file', 'bad.yaml'], 'pao validate does nothing by itself: add scheduler.'],
      [['test'], 'pao test does nothing by itself: add system.'],
    ] as const;
    for (const [args, text] of wrong) {
      const { code, stdout, stderr } = await runPao([...args]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toContain(text);
    }
    const { code, stdout } = await runPao(['task', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout).error).toMatchObject({ code: 'PAO_USAGE', hints: ['pao task --help'] });
    const bare = await runPao(['task']);
    expect([bare.code, bare.stdout]).toEqual([0, expect.stringContaining('task apply')]);
  });

  it('explains a command in the same words for help and --help', async () => {
    const [one, other] = await Promise.all([
      runPao(['help', 'init', 'briefing']),
      runPao(['init', 'briefing', '--help']),
    ]);
    expect(one.stdout).toContain('pao init briefing');
    expect(one.stdout).toContain('GLOBAL FLAGS');
    expect(other.stdout.trimEnd()).toBe(one.stdout.trimEnd());
  });

  it('puts flags with a letter and without one under one another, and a word too many behind its flag', async () => {
    const { stdout } = await runPao(['agent', 'quiet', '--help']);
    expect(stdout).toContain('$ pao agent quiet NAME [FLAGS]\n');
    expect(stdout).toMatch(/\n {6}--json {2,}Print.*\n {2}-q, --quiet {2,}Print/);
    const { code, stderr } = await runPao(['event', 'publish', 'mail.received', '{"from": "ana"}']);
    expect(code).toBe(2);
    expect(stderr).toContain(`→ pao event publish … --payload '{"from": "ana"}'\n`);
  });

  it('does not end as if all were well where its answer can not be written', async () => {
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(root, 'bin', 'run.cjs'), 'help', 'exit-codes'],
      {
        stdio: ['ignore', full, 'pipe'],
        encoding: 'utf8',
      },
    );
    closeSync(full);
    expect(stderr).toMatch(/^✖ The disk is full|^FAIL The disk is full/);
    expect(status).toBe(EXIT.unavailable);
  });

  it('knows the command whose letters changed places', async () => {
    expect((await runPao(['tpo'])).stderr).toContain('Did you mean "pao top"?');
  });

  it('lists every exit code there is', async () => {
    const { stdout } = await runPao(['help', 'exit-codes']);
    expect(EXIT_CODES.map(([code]) => code)).toEqual(Object.values(EXIT));
    for (const [code, meaning] of EXIT_CODES) expect(stdout).toContain(`${code}`.padEnd(5) + meaning);
  });

  it('has no command without a summary, an example and --json', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'dist', 'oclif.manifest.json'), 'utf8')) as {
      commands: Record<string, { summary?: string; examples?: unknown[]; flags: Record<string, unknown> }>;
    };
    const poor = Object.entries(manifest.commands)
      .filter(([, { summary, examples, flags }]) => !summary || !examples?.length || !flags['json'])
      .map(([id]) => id);
    expect(poor).toEqual([]);
  });
});

describe('wrong usage', () => {
  it.each([
    [['hlep'], 'There is no command "pao hlep". Did you mean "pao help"?', 'pao help'],
    [
      ['init', 'brefing'],
      'There is no command "pao init brefing". Did you mean "pao init briefing"?',
      'pao init briefing',
    ],
    [['inti', 'briefing'], 'Did you mean "pao init briefing"?', 'pao init briefing'],
    [['help', 'vrsion'], 'Did you mean "pao version"?', 'pao version'],
    [['version', 'now'], 'pao version takes no argument "now".', 'pao version --help'],
    [['version', '--jsn'], 'There is no flag --jsn here. Did you mean --json?', 'pao version --help'],
    [['completion'], 'SHELL is missing.', 'pao completion --help'],
    [['completion', 'tcsh'], 'Expected tcsh to be one of: bash, zsh, fish', 'pao completion --help'],
    [['completion', 'zsh', 'fish'], 'Nothing is expected after the arguments', 'pao completion --help'],
    [['--quiet', 'version'], 'Flags go after the command.', 'pao version --quiet'],
    [['version', '--quiet', '--verbose'], '--quiet', 'pao version --help'],
  ])('%j ends with 2 and says what to type', async (args, message, hint) => {
    const { code, stdout, stderr } = await runPao(args);
    expect(stderr).toContain(message);
    expect(stderr).toContain(`→ ${hint}\n`);
    expect([code, stdout]).toEqual([2, '']);
  });

  it('is one JSON document with --json, with the same exit code', async () => {
    const { code, stdout, stderr } = await runPao(['version', '--jsn', '--json']);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'PAO_USAGE',
        message: 'There is no flag --jsn here. Did you mean --json?',
        hints: ['pao version --help'],
        problems: [],
      },
    });
    expect([code, stderr]).toEqual([2, '']);
  });

  it('of a command that is none is JSON as well', async () => {
    const { code, stdout } = await runPao(['nothing', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'PAO_COMMAND_UNKNOWN' } });
    expect(code).toBe(2);
  });
});

describe('output', () => {
  it('is one JSON document with --json', async () => {
    const { stdout, stderr } = await runPao(['version', '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ pao: version, node: process.version });
    expect(stderr).toBe('');
  });

  it('has no ANSI codes in a pipe, and has them with FORCE_COLOR=1', async () => {
    const plain = await runPao(['nothing']);
    expect(plain.stderr).not.toContain('\u001b');
    const forced = await runPao(['nothing'], { env: { FORCE_COLOR: '1' } });
    expect(forced.stderr).toContain('\u001b[31m');
    const refused = await runPao(['nothing', '--no-color'], { env: { FORCE_COLOR: '1' } });
    expect(refused.stderr).not.toContain('\u001b');
  });

  it('is plain ASCII without a UTF-8 locale', async () => {
    const { stderr } = await runPao(['nothing'], { env: { LANG: 'C' } });
    expect(stderr).toMatch(/^FAIL There is no command "pao nothing"/);
    expect(stderr).toContain('-> pao --help');
  });

  it('ends quietly when the reader goes away', () => {
    const script = `"$0" bin/run.cjs completion bash | head -c 1 >/dev/null; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', script, process.execPath], {
      cwd: root,
      encoding: 'utf8',
    });
    expect([stdout.trim(), stderr]).toEqual(['0', '']);
  });

  it('leaves stdin to the shell loop around it', () => {
    const script = `printf 'a\\nb\\n' | while read -r line; do "$0" bin/run.cjs version >/dev/null; echo "$line"; done`;
    const { stdout } = spawnSync('bash', ['-c', script, process.execPath], { cwd: root, encoding: 'utf8' });
    expect(stdout).toBe('a\nb\n');
  });
});

describe('completion', () => {
  const complete = (...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(' ');
    const script = `eval "$("$0" bin/run.cjs completion bash)"; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _pao; echo "\${COMPREPLY[*]}"`;
    const { stdout } = spawnSync('bash', ['-c', script, process.execPath], { cwd: root, encoding: 'utf8' });
    return stdout.trim().split(' ');
  };

  it('offers commands, sub-commands and flags in bash', () => {
    expect(complete('pao', 'vers')).toEqual(['version']);
    expect(complete('pao', 'init', 'b')).toEqual(['backup-check', 'briefing']);
    expect(complete('pao', 'version', '--js')).toEqual(['--json']);
    expect(complete('pao', 'completion', '--q')).toEqual(['--quiet']);
  });

  it.each(['zsh', 'fish'])('names every command for %s', async (shell) => {
    const { stdout, code } = await runPao(['completion', shell]);
    expect(code).toBe(0);
    for (const word of ['init', 'briefing', 'completion', 'version']) expect(stdout).toContain(word);
  });
});

describe('code cache', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'pao-cache-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const blobs = () => {
    const at = join(folder, 'pao', 'code', `${process.version}-${process.arch}`);
    return readdirSync(at).map((name) => join(at, name));
  };

  it('is written once, for its owner alone, and a damaged one does no harm', async () => {
    const env = { XDG_CACHE_HOME: folder };
    expect((await runPao(['version'], { env })).code).toBe(0);
    const written = blobs();
    expect(written.length).toBeGreaterThan(3);
    for (const path of written) writeFileSync(path, 'not machine code');
    const { code, stdout } = await runPao(['version', '--json'], { env });
    expect([code, (JSON.parse(stdout) as { pao: string }).pao]).toEqual([0, version]);
    expect(blobs()).toEqual(written);
    for (const path of written) expect(readFileSync(path, 'utf8')).not.toBe('not machine code');
  });

  it.each([
    ['PAO_NO_CODE_CACHE=1', { PAO_NO_CODE_CACHE: '1' }],
    ['no home directory', { HOME: '' }],
    ['a cache folder that cannot be made', { XDG_CACHE_HOME: '/dev/null' }],
  ])('is done without: %s', async (_, env) => {
    const { code, stderr } = await runPao(['version'], { env });
    expect([code, stderr]).toEqual([0, '']);
  });

  it('is neither read nor written where others may write', async () => {
    const shared = join(folder, 'shared');
    const at = join(shared, 'pao', 'code', `${process.version}-${process.arch}`);
    mkdirSync(at, { recursive: true });
    chmodSync(at, 0o777);
    const { code } = await runPao(['version'], { env: { XDG_CACHE_HOME: shared } });
    expect([code, readdirSync(at)]).toEqual([0, []]);
  });
});
