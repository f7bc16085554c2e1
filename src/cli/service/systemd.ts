import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { crontabLine } from './crontab-line.js';
import { installedIn } from './installed-in.js';
import type { ManagerStep, ServiceManager, ServiceState } from './manager.js';
import type { RunProgram } from './run-program.js';
import { systemdUnit } from './systemd-unit.js';

const LINES = 15;
const PROPERTIES =
  'LoadState,UnitFileState,ActiveState,SubState,MainPID,NRestarts,Result,ExecMainStatus,ExecMainCode';

/** The person's own systemd (systemd.unit(5): units in `$XDG_CONFIG_HOME/systemd/user`). */
export function systemd(options: {
  env: Readonly<Record<string, string | undefined>>;
  userHome: string;
  run: RunProgram;
}): ServiceManager {
  const { env, userHome, run } = options;
  const given = env['XDG_CONFIG_HOME'];
  const configHome = given && isAbsolute(given) ? given : join(userHome, '.config');
  const folder = join(configHome, 'systemd', 'user');
  const unitOf = (name: string) => `${name}.service`;
  const step = (...words: string[]): ManagerStep => ({ command: ['systemctl', '--user', ...words] });
  const ask = () => run(['systemctl', '--user', 'show', '--property=Version']);
  return {
    id: 'systemd',
    hasEnvironmentFile: true,
    fileOf: (name) => join(folder, unitOf(name)),
    installed: () => installedIn(folder, /^(pao(?:-.+)?)\.service$/),
    // `systemctl enable` makes this link; it may lead nowhere when the unit was deleted.
    isStartedAtLogin: (name) => existsSync(join(folder, 'default.target.wants', unitOf(name))),
    render: (program) => systemdUnit(program),
    isUsable: async () => (await ask()).code === 0,
    async assertUsable(program) {
      const { code, stderr } = await ask();
      if (code === 0) return;
      throw unusable(stderr.trim().split('\n')[0] ?? '', crontabLine(program));
    },
    async state(name) {
      const { stdout } = await run(['systemctl', '--user', 'show', `--property=${PROPERTIES}`, unitOf(name)]);
      return readState(stdout);
    },
    installSteps: (name, before, isChanged) => [
      ...(isChanged ? [step('daemon-reload')] : []),
      ...(isChanged && before.active !== 'stopped'
        ? [step('enable', unitOf(name)), step('restart', unitOf(name))]
        : [step('enable', '--now', unitOf(name))]),
    ],
    uninstallSteps: (name) => ({
      before: [step('disable', '--now', unitOf(name))],
      after: [step('daemon-reload'), { ...step('reset-failed', unitOf(name)), tolerate: 'all' }],
    }),
    holdBackSteps: (name) => [step('stop', '--no-block', unitOf(name))],
    restartCommand: (name) => `systemctl --user restart ${unitOf(name)}`,
    logCommand: (name) => `journalctl --user -u ${unitOf(name)} -e`,
    async lastLines(name) {
      const unit = `--user-unit=${unitOf(name)}`;
      const { stdout } = await run([
        'journalctl',
        unit,
        `--lines=${LINES}`,
        '--output=cat',
        '--no-pager',
        '-q',
      ]);
      return stdout.trim();
    },
    async startsAtBoot() {
      const user = String(process.getuid?.() ?? '');
      const { code, stdout } = await run(['loginctl', 'show-user', user, '--property=Linger', '--value']);
      return code === 0 ? stdout.trim() === 'yes' : null;
    },
  };
}

function readState(text: string): ServiceState {
  const values = new Map(
    text.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const get = (name: string) => values.get(name) ?? '';
  const pid = Number(get('MainPID'));
  const active = {
    active: 'running',
    reloading: 'running',
    activating: 'starting',
    failed: 'failed',
  }[get('ActiveState')] as ServiceState['active'] | undefined;
  return {
    enabled: get('UnitFileState').startsWith('enabled'),
    active: active ?? 'stopped',
    pid: Number.isInteger(pid) && pid > 0 ? pid : null,
    restarts: get('NRestarts') === '' ? null : Number(get('NRestarts')),
    end: endOf(get('Result'), get('ExecMainCode'), get('ExecMainStatus')),
  };
}

/** How its last process ended (`ExecMainCode` is a code of wait(2): 1 ended by itself, 2 and 3 by a signal). */
function endOf(result: string, code: string, status: string): string | null {
  if (code === '1') return `it ended with exit code ${status}`;
  if (code === '2' || code === '3') return `it was ended by signal ${status}`;
  return result === '' || result === 'success' ? null : result;
}

function unusable(answer: string, line: string): PaoError {
  return new PaoError(
    'PAO_SERVICE_NO_SYSTEMD',
    `There is no systemd of yours that could start pao here${answer === '' ? '' : ` (${answer})`}. A container starts its programs itself; WSL has systemd when /etc/wsl.conf says [boot] systemd=true; over su or cron, log in properly.`,
    {
      exitCode: EXIT.unavailable,
      hints: [`crontab -e   and this line: ${line}`, 'pao start local --detach'],
    },
  );
}
