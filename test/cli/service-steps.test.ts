import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { installService, planInstall } from '../../src/cli/service/install-service.js';
import { launchd } from '../../src/cli/service/launchd.js';
import type { ServiceProgram } from '../../src/cli/service/program.js';
import { serviceStatus } from '../../src/cli/service/service-status.js';
import { systemd } from '../../src/cli/service/systemd.js';
import { uninstallService } from '../../src/cli/service/uninstall-service.js';
import { whyNoService } from '../../src/cli/service/why-no-service.js';
import { removeRunFile, writeRunFile } from '../../src/server/supervisor/run-file.js';

let userHome: string;
let program: ServiceProgram;
const { signal } = new AbortController();

beforeEach(() => {
  userHome = mkdtempSync(join(tmpdir(), 'pao-steps-'));
  program = {
    node: process.execPath,
    bin: join(userHome, 'bin', 'run.cjs'),
    home: join(userHome, 'data'),
    folder: userHome,
    config: null,
    path: '/usr/bin:/bin',
    settings: {},
    stopSeconds: 60,
  };
  mkdirSync(dirname(program.bin));
  writeFileSync(program.bin, '');
  writeFileSync(join(userHome, 'package.json'), '{"version": "2.0.0"}');
});
afterEach(() => rmSync(userHome, { recursive: true }));

/** launchd as far as launchctl(1) shows it: what is told to end is there for two more looks. */
function aLaunchd() {
  const told: string[] = [];
  let left = 0;
  let isLoaded = false;
  const load = () => {
    isLoaded = true;
    writeRunFile(program.home, {
      pid: process.pid,
      process_start: null,
      url: 'http://127.0.0.1:1',
      version: '1.0.0',
      started_at: new Date(0).toISOString(),
      home: program.home,
      database: '',
      log_file: '',
    });
  };
  const run = async ([, verb = '', target = '']: readonly string[]) => {
    const end = (code: number, stdout = '') => ({
      code,
      stdout,
      stderr: code === 0 ? '' : 'Boot-out failed',
    });
    if (verb === 'print' && target === 'gui/501') return end(0);
    if (verb === 'print') {
      if (!isLoaded && left-- <= 0) return end(113);
      return end(0, `\tstate = running\n\tpid = ${process.pid}\n\tlast exit code = (never exited)\n`);
    }
    told.push([verb, target].join(' '));
    if (verb === 'bootstrap') {
      if (left > 0) return end(5);
      load();
    }
    if (verb === 'bootout') {
      if (!isLoaded) return end(3);
      [isLoaded, left] = [false, 2];
      removeRunFile(program.home);
      return end(36);
    }
    return end(0);
  };
  return { manager: launchd({ userHome, uid: 501, run }), run, told };
}

it('launchd: is loaded, loaded anew when it changed and what was before is gone, and taken out', async () => {
  const { manager, run, told } = aLaunchd();
  const handOver = async () => {
    throw new Error('Nothing was started by hand.');
  };
  const install = () => {
    const plan = planInstall(manager, program, undefined);
    return installService({ manager, program, plan, run, signal, handOver });
  };
  expect(await install()).toMatchObject({ status: 'installed', pid: process.pid });
  const file = join(userHome, 'Library', 'LaunchAgents', 'io.github.pao.plist');
  expect(told.splice(0)).toEqual(['enable gui/501/io.github.pao', 'bootstrap gui/501']);
  expect(readFileSync(file, 'utf8')).toContain('<key>RunAtLoad</key>');

  expect(await install()).toMatchObject({ status: 'unchanged' });
  expect(told).toEqual([]);
  const { problems, ...status } = await serviceStatus(manager, program.home);
  expect(status).toMatchObject({ active: 'running', version_installed: '2.0.0', version_running: '1.0.0' });
  expect(problems).toEqual([
    {
      message: 'pao 1.0.0 runs, and 2.0.0 is installed.',
      hint: 'pao stop && launchctl kickstart gui/501/io.github.pao',
    },
  ]);

  program = { ...program, settings: { PAO_PORT: '8090' } };
  expect(await install()).toMatchObject({ status: 'updated' });
  expect(told.splice(0)).toEqual([
    'bootout gui/501/io.github.pao',
    'enable gui/501/io.github.pao',
    'bootstrap gui/501',
  ]);

  const [service] = manager.installed();
  expect(service).toMatchObject({ name: 'pao', file });
  await uninstallService(manager, service!, { run, signal });
  expect([told, existsSync(file), manager.installed()]).toEqual([
    ['bootout gui/501/io.github.pao'],
    false,
    [],
  ]);
});

it('systemd: a unit that changed is restarted when it runs, and started when it does not', () => {
  const manager = systemd({ env: {}, userHome, run: async () => ({ code: 0, stdout: '', stderr: '' }) });
  const state = { enabled: true, active: 'running', pid: 1, restarts: 0, end: null } as const;
  const told = (...given: Parameters<typeof manager.installSteps>) =>
    manager.installSteps(...given).map(({ command }) => command.slice(2).join(' '));
  expect(told('pao', state, true)).toEqual(['daemon-reload', 'enable pao.service', 'restart pao.service']);
  expect(told('pao', { ...state, active: 'stopped' }, true)).toEqual([
    'daemon-reload',
    'enable --now pao.service',
  ]);
  expect(told('pao', { ...state, active: 'failed' }, false)).toEqual(['enable --now pao.service']);
});

it('a machine on which nothing is to start pao is known, with why', () => {
  const home = '/home/you/.local/share/pao';
  const why = (env: Record<string, string>, platform: NodeJS.Platform = 'darwin', at = home) =>
    whyNoService({ env, home: at, platform });
  expect(why({ CI: 'true' })).toMatch(/CI/);
  expect(why({ container: 'podman' })).toMatch(/container/);
  expect(why({ KUBERNETES_SERVICE_HOST: '10.0.0.1' })).toMatch(/container/);
  expect(why({}, 'win32')).toMatch(/platform/);
  mkdirSync(program.home);
  // Where the tests themselves run in a container, that is said first.
  expect(why({}, 'darwin', program.home)).toMatch(/temporary|container/);
});
