import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { crontabLine } from '../../src/cli/service/crontab-line.js';
import { launchdPlist } from '../../src/cli/service/launchd-plist.js';
import { readFacts, type ServiceProgram } from '../../src/cli/service/program.js';
import { systemdUnit } from '../../src/cli/service/systemd-unit.js';
import { goesAwayWith } from '../../src/cli/service/version-manager.js';
import { windowsTask } from '../../src/cli/service/windows-task.js';
import { findProgram } from '../find-program.js';

/** Everything that means something to systemd, a shell, cron, XML or a comment of one of them. */
const NASTY = `we ird 50% $HOME \${x} "q" 'a' \\n <&> --é;#`;
let folder: string;
let program: ServiceProgram;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-service-'));
  const place = join(folder, NASTY);
  mkdirSync(place);
  symlinkSync(process.execPath, join(place, 'node'));
  // Prints what it was started as, where and with what.
  writeFileSync(
    join(place, 'run.cjs'),
    'console.log(JSON.stringify({ argv: process.argv.slice(1), cwd: process.cwd(), env: process.env }))',
  );
  program = {
    node: join(place, 'node'),
    bin: join(place, 'run.cjs'),
    home: place,
    folder: place,
    config: join(place, 'pao.config.yaml'),
    path: `/usr/bin:/bin:${place}`,
    settings: { PAO_PORT: '8091', PAO_TIMEZONE: 'Europe/Berlin' },
    stopSeconds: 60,
  };
});
afterEach(() => rmSync(folder, { recursive: true }));

const facts = () => {
  const { node, bin, home, config } = program;
  return { node, bin, home, config };
};

describe('the unit of systemd', () => {
  const verify = (text: string) => {
    writeFileSync(join(folder, 'pao.service'), text);
    const env = { PATH: process.env['PATH'], HOME: folder, XDG_RUNTIME_DIR: folder };
    const args = ['verify', '--user', '--man=no', join(folder, 'pao.service')];
    const { status, stdout, stderr } = spawnSync(findProgram('systemd-analyze', 'systemd'), args, {
      encoding: 'utf8',
      env,
    });
    const lines = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('pao.service'));
    return { status, lines };
  };

  it('passes systemd-analyze verify with any path, which finds a wrong one', () => {
    const text = systemdUnit(program);
    expect(verify(text)).toEqual({ status: 0, lines: [] });
    expect(verify(text.replaceAll('%%', '%x')).lines.join('\n')).toMatch(/specifier/);
    expect(verify(text.replace('KillMode=mixed', 'KillMode=gently')).lines.join('\n')).toMatch(/kill mode/);
    const plain = { ...program, home: '/var/lib/a b', folder: '/var/lib/a b' };
    expect(verify(systemdUnit({ ...plain, node: '/bin/sh' }))).toEqual({ status: 0, lines: [] });
    expect(verify(systemdUnit({ ...plain, node: '/nowhere' })).lines.join('\n')).toMatch(/not executable/);
  });

  it('holds what it starts, so that pao finds it again', () => {
    expect(readFacts(systemdUnit(program))).toEqual(facts());
    expect(readFacts('[Service]\nExecStart=/usr/bin/pao start local\n')).toBeNull();
    expect(readFacts('# pao service install: {"node":1}')).toBeNull();
  });

  it('restarts what crashed, not what was stopped, and says nothing to the services of pao itself', () => {
    const lines = systemdUnit({ ...program, node: '/usr/bin/node', bin: '/opt/pao/bin/run.cjs' }).split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'ExecStart=/usr/bin/node /opt/pao/bin/run.cjs start local',
        'Restart=on-failure',
        'RestartPreventExitStatus=2',
        'KillMode=mixed',
        'TimeoutStopSec=60s',
        'UMask=0077',
        'WantedBy=default.target',
        'Environment=PAO_PORT=8091',
      ]),
    );
  });
});

describe('the property list of launchd', () => {
  const read = (text: string) =>
    JSON.parse(
      execFileSync(
        'python3',
        ['-c', 'import sys,plistlib,json;print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))'],
        {
          input: text,
          encoding: 'utf8',
          stdio: 'pipe',
        },
      ),
    ) as Record<string, unknown>;

  it('is one that a parser reads as what was meant', () => {
    const text = launchdPlist(program, 'io.github.pao');
    expect(read(text)).toEqual({
      Label: 'io.github.pao',
      ProgramArguments: [program.node, program.bin, 'start', 'local'],
      EnvironmentVariables: {
        PATH: program.path,
        PAO_HOME: program.home,
        PAO_PORT: '8091',
        PAO_TIMEZONE: 'Europe/Berlin',
      },
      WorkingDirectory: program.folder,
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ThrottleInterval: 10,
      ExitTimeOut: 60,
      Umask: 0o077,
      StandardOutPath: join(program.home, 'logs', 'service.log'),
      StandardErrorPath: join(program.home, 'logs', 'service.log'),
    });
    expect(readFacts(text)).toEqual(facts());
    expect(() => read(text.replaceAll('&amp;', '&'))).toThrow(/ExpatError/);
  });
});

describe('the line of a crontab', () => {
  it('is one that a shell takes as what was meant, after cron made a per cent sign of \\%', () => {
    const line = crontabLine(program);
    expect(line.replaceAll('\\%', '')).not.toContain('%');
    const command = line.replace(/^@reboot /, '').replaceAll('\\%', '%');
    const seen = JSON.parse(execFileSync('/bin/sh', ['-c', command], { encoding: 'utf8' })) as {
      argv: string[];
      cwd: string;
      env: Record<string, string>;
    };
    expect(seen.argv).toEqual([program.bin, 'start', 'local', '--detach']);
    expect(seen.cwd).toBe(program.folder);
    expect(seen.env).toMatchObject({ PAO_HOME: program.home, PATH: program.path, PAO_PORT: '8091' });
  });
});

describe('what is typed on Windows', () => {
  it('makes a task that runs on battery and is not ended after three days', () => {
    const home = "C:\\Users\\O'Hara\\pao";
    const commands = windowsTask({ ...program, node: 'C:\\n\\node.exe', bin: 'C:\\a b\\run.cjs', home });
    expect(commands).toContain(
      "[Environment]::SetEnvironmentVariable('PAO_HOME', 'C:\\Users\\O''Hara\\pao', 'User')",
    );
    expect(commands.join('\n')).toContain(
      `-Execute 'C:\\n\\node.exe' -Argument '"C:\\a b\\run.cjs" start local'`,
    );
    expect(commands.join('\n')).toMatch(/-DontStopIfGoingOnBatteries -ExecutionTimeLimit 0/);
  });
});

it.each([
  ['/home/you/.nvm/versions/node/v22.3.0/bin/node', 'nvm'],
  ['/home/you/.local/share/fnm/node-versions/v22.3.0/installation/bin/node', 'fnm'],
  ['/home/you/.volta/tools/image/node/22.3.0/bin/node', 'Volta'],
  ['/home/you/.asdf/installs/nodejs/22.3.0/bin/node', 'asdf'],
  ['/home/you/.local/share/mise/installs/node/22.3.0/bin/node', 'mise'],
  ['/opt/homebrew/Cellar/node@22/22.3.0/bin/node', 'Homebrew'],
  ['/home/you/.npm/_npx/abc/node_modules/pao/bin/run.cjs', 'npx'],
  ['/usr/bin/node', null],
  ['/usr/local/lib/node_modules/pao/bin/run.cjs', null],
])('%s goes away with %s', (path, manager) => expect(goesAwayWith(path)).toBe(manager));
