import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ServiceStatus } from '../../src/cli/service/service-status.js';
import { readRunFile } from '../../src/server/supervisor/run-file.js';
import { runPao } from '../cli/a-process.js';
import { aSystemd, type StandInSystemd } from './a-systemd.js';
import { runCommand } from './run-command.js';

let folder: string;
let home: string;
let systemd: StandInSystemd;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pao-service-'));
  home = join(folder, 'data');
  systemd = aSystemd(join(folder, 'systemd'));
});
afterEach(() => {
  systemd.end();
  const byHand = readRunFile(home);
  if (byHand !== null) process.kill(byHand.pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const service = (argv: string[], env: Record<string, string> = {}) =>
  runCommand(`service:${argv[0]}`, argv.slice(1), {
    cwd: folder,
    env: { PAO_HOME: home, ...systemd.env, ...env },
  });

/** A unit that an installation left, for another data directory or one whose program is gone. */
function leave(name: string, facts: Record<string, string | null>): void {
  const file = systemd.unit(name);
  mkdirSync(join(file, '..'), { recursive: true });
  const all = { node: process.execPath, bin: process.execPath, home, config: null, ...facts };
  writeFileSync(file, `# pao service install: ${JSON.stringify(all)}\n`);
}

it('takes over from a pao that was started by hand, goes on, and goes without a trace', async () => {
  writeFileSync(join(folder, 'pao.config.yaml'), 'port: 0\nworkers: 1\n');
  const env = { PAO_HOME: home, ...systemd.env };
  const start = await runPao(['start', 'local', '--detach', '--json'], { cwd: folder, env });
  expect(start.code).toBe(0);
  const byHand = JSON.parse(start.stdout) as { pid: number };

  const asks = await service(['install']);
  expect(asks).toMatchObject({ exitCode: 2, error: { code: 'PAO_CONFIRMATION_NEEDED' } });
  expect(existsSync(systemd.unit())).toBe(false);

  const installed = await service(['install', '--yes', '--json']);
  const { pid, ...document } = JSON.parse(installed.stdout) as { pid: number };
  expect(document).toMatchObject({ status: 'installed', replaced: byHand.pid, file: systemd.unit() });
  expect(pid).toBe(readRunFile(home)?.pid);
  expect(installed.stderr).toContain('→ loginctl enable-linger');

  const status = await service(['status', '--json']);
  const seen = JSON.parse(status.stdout) as ServiceStatus;
  expect(status.exitCode).toBe(0);
  expect(seen).toMatchObject({ enabled: true, active: 'running', pid, running_pid: pid, problems: [] });
  expect(seen.starts_at_boot).toBe(false);
  expect(seen.version_running).toBe(seen.version_installed);

  const again = await service(['install', '--json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ status: 'unchanged', pid, changes: [] });
  expect(systemd.changes()).toEqual(['daemon-reload', 'enable --now pao.service']);

  const stop = await runCommand('stop', ['--force'], { cwd: folder, env });
  expect(stop.stderr).toContain('starts it again at the next login');
  expect(systemd.changes().at(-1)).toBe('stop --no-block pao.service');
  const after = await service(['status', '--json']);
  expect(after.exitCode).toBe(3);
  expect(JSON.parse(after.stdout)).toMatchObject({ installed: true, active: 'stopped', pid: null });

  const gone = await service(['uninstall', '--json']);
  expect(JSON.parse(gone.stdout)).toMatchObject({ uninstalled: true, name: 'pao' });
  expect(existsSync(join(systemd.env['XDG_CONFIG_HOME'] as string, 'systemd'))).toBe(false);
  expect(existsSync(join(home, 'orchestrator.db'))).toBe(true);
  expect(JSON.parse((await service(['uninstall', '--json'])).stdout)).toMatchObject({ uninstalled: false });
}, 180_000);

describe('pao service install', () => {
  it('--print shows the file and the commands, and changes nothing', async () => {
    const { stdout, stderr, exitCode } = await service(['install', '--print']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ExecStart=\S+ \S+\/bin\/run\.cjs start local$/m);
    expect(stdout).toContain(`Environment=PAO_HOME=${home}\n`);
    expect(stderr).toMatch(/daemon-reload\nsystemctl --user enable --now pao\.service/);
    expect([existsSync(home), existsSync(systemd.unit()), systemd.changes()]).toEqual([false, false, []]);
    const asJson = await service(['install', '--print', '--json']);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      would_be: 'new',
      content: stdout,
      file: systemd.unit(),
    });
  });

  it('writes no password into the file, and takes one from service.env', async () => {
    const env = { DATABASE_URL: 'postgres://pao:hunter2@db/pao', PAO_SECRET_TOKEN: 'a-secret-value' };
    const refused = await service(['install', '--print'], env);
    expect(refused).toMatchObject({ exitCode: 2, error: { code: 'PAO_SERVICE_PASSWORD' } });
    expect(JSON.stringify(refused.error)).not.toContain('hunter2');
    mkdirSync(home);
    writeFileSync(join(home, 'service.env'), `DATABASE_URL=${env.DATABASE_URL}\n`, { mode: 0o600 });
    const { stdout, stderr } = await service(['install', '--print'], env);
    expect(stdout).toContain(`EnvironmentFile=-${home}/service.env`);
    expect(`${stdout}${stderr}`).not.toMatch(/hunter2|a-secret-value/);
    expect(stderr).toContain('→ printf %s "$PAO_SECRET_TOKEN" | pao secret set TOKEN');
    chmodSync(join(home, 'service.env'), 0o644);
    expect(await service(['install', '--print'], env)).toMatchObject({ exitCode: 4 });
  });

  it('leaves alone what is of another data directory or another program', async () => {
    leave('pao', { home: '/elsewhere' });
    const taken = await service(['install']);
    expect(taken).toMatchObject({ exitCode: 1, error: { code: 'PAO_SERVICE_TAKEN' } });
    expect(taken.error?.hints).toEqual(['pao service install --name data']);
    const named = await service(['install', '--print', '--json', '--name', 'data']);
    expect(JSON.parse(named.stdout)).toMatchObject({ file: systemd.unit('pao-data') });
    writeFileSync(systemd.unit(), '[Service]\nExecStart=/usr/bin/pao start local\n');
    expect(await service(['install'])).toMatchObject({ exitCode: 1, error: { code: 'PAO_SERVICE_FOREIGN' } });
    expect(await service(['install', '--name', '../x'])).toMatchObject({ exitCode: 2 });
    expect(systemd.changes()).toEqual([]);
  });

  it('says what else brings pao back where there is no systemd, and writes nothing', async () => {
    const { error, exitCode } = await service(['install'], { PATH: '/nowhere' });
    expect({ exitCode, code: error?.code }).toEqual({ exitCode: 3, code: 'PAO_SERVICE_NO_SYSTEMD' });
    expect(error?.hints[0]).toMatch(/crontab -e .*@reboot cd \S+ && PATH=.* start local --detach/);
    expect(existsSync(systemd.unit())).toBe(false);
  });

  it('says with what it wrote when what was started does not stay', async () => {
    systemd.pretend({
      ActiveState: 'activating',
      MainPID: 0,
      ExecMainCode: 1,
      ExecMainStatus: 3,
      NRestarts: 1,
    });
    const { error, exitCode } = await service(['install']);
    expect({ exitCode, code: error?.code }).toEqual({ exitCode: 1, code: 'PAO_SERVICE_START' });
    expect(error?.message).toMatch(/exit code 3\.\nthe last words of pao/);
    expect(error?.hints[0]).toContain('journalctl --user -u pao.service');
    const status = await service(['status']);
    expect(status.exitCode).toBe(3);
    expect(status.stderr).toMatch(/does not stay, and is started again .*exit code 3/);
  });

  it('names a PATH without what goes away with this shell', async () => {
    const PATH = `${systemd.env['PATH']}:/run/user/1/fnm_multishells/1_2/bin:relative:/x/node_modules/.bin:/opt/lasting`;
    const { stdout } = await service(['install', '--print'], { PATH });
    const path = /^Environment=PATH=(.*)$/m.exec(stdout)?.[1]?.split(':') ?? [];
    expect(path).toContain('/opt/lasting');
    expect(path.join('\n')).not.toMatch(/fnm_multishells|relative|node_modules/);
  });
});

describe('pao service status', () => {
  const status = async (env: Record<string, string> = {}) => {
    const { stdout, exitCode } = await service(['status', '--json'], env);
    return { exitCode, document: JSON.parse(stdout) as ServiceStatus };
  };

  it('says what to type where there is none', async () => {
    expect(await status()).toMatchObject({ exitCode: 3, document: { installed: false, problems: [] } });
    expect((await service(['status'])).stderr).toContain('→ pao service install');
  });

  it('says what is gone, and that it can not be asked', async () => {
    leave('pao', { node: '/gone/node' });
    const { exitCode, document } = await status({ PATH: '/nowhere' });
    expect({ exitCode, active: document.active }).toEqual({ exitCode: 3, active: 'unknown' });
    expect(document.problems.map(({ message }) => message).join('\n')).toMatch(/gone: \/gone\/node/);
  });
});

it('pao service uninstall deletes the file also where nothing can be told to end it', async () => {
  leave('pao-other', { home: '/elsewhere' });
  leave('pao', {});
  const { exitCode, stderr } = await service(['uninstall'], { PATH: '/nowhere' });
  expect(exitCode).toBe(0);
  expect(stderr).toContain(`Tasks and runs stay in ${home}`);
  expect([existsSync(systemd.unit()), existsSync(systemd.unit('pao-other'))]).toEqual([false, true]);
  expect(readFileSync(systemd.unit('pao-other'), 'utf8')).toContain('/elsewhere');
});
