import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { EXIT, PaoError } from '../../domain/errors.js';
import { shellWord } from '../../domain/shell-word.js';
import { crontabLine } from './crontab-line.js';
import { installedIn } from './installed-in.js';
import { launchdLog, launchdPlist } from './launchd-plist.js';
import type { ManagerStep, ServiceManager, ServiceState } from './manager.js';
import type { RunProgram } from './run-program.js';

const LINES = 15;
const LABEL = 'io.github.pao';
/** launchctl(1) for a service that is not loaded: "Could not find service", "No such process". */
const NOT_LOADED = [3, 113];

/** launchd of macOS: agents in `~/Library/LaunchAgents`, in the domain of the person's screen session. */
export function launchd(options: { userHome: string; uid: number; run: RunProgram }): ServiceManager {
  const { userHome, uid, run } = options;
  const folder = join(userHome, 'Library', 'LaunchAgents');
  const domain = `gui/${uid}`;
  const labelOf = (name: string) => (name === 'pao' ? LABEL : `${LABEL}.${name.replace(/^pao-/, '')}`);
  const targetOf = (name: string) => `${domain}/${labelOf(name)}`;
  const fileOf = (name: string) => join(folder, `${labelOf(name)}.plist`);
  const step = (...words: string[]): ManagerStep => ({ command: ['launchctl', ...words] });
  const bootout = (name: string): ManagerStep => ({
    ...step('bootout', targetOf(name)),
    // 36: it is on its way.
    tolerate: [...NOT_LOADED, 36],
    untilGone: true,
  });
  const ask = () => run(['launchctl', 'print', domain]);
  return {
    id: 'launchd',
    hasEnvironmentFile: false,
    fileOf,
    installed: () =>
      installedIn(folder, /^io\.github\.(pao(?:\..+)?)\.plist$/).map((one) => ({
        ...one,
        name: one.name.replace('.', '-'),
      })),
    // RunAtLoad; `launchctl disable` is kept where it can not be read.
    isStartedAtLogin: (name) => existsSync(fileOf(name)),
    render: (program, name) => launchdPlist(program, labelOf(name)),
    isUsable: async () => (await ask()).code === 0,
    async assertUsable(program) {
      const { code, stderr } = await ask();
      if (code === 0) return;
      throw new PaoError(
        'PAO_SERVICE_NO_LAUNCHD',
        `launchd has no session of yours here (${stderr.trim().split('\n')[0] ?? ''}): log in at the screen first, not over the network.`,
        { exitCode: EXIT.unavailable, hints: [`crontab -e   and this line: ${crontabLine(program)}`] },
      );
    },
    async state(name) {
      const { code, stdout } = await run(['launchctl', 'print', targetOf(name)]);
      return code === 0 ? readState(stdout) : NOT_THERE;
    },
    installSteps: (name, before, isChanged) => {
      if (before.enabled && !isChanged) return [step('kickstart', targetOf(name))];
      return [
        ...(before.enabled ? [bootout(name)] : []),
        step('enable', targetOf(name)),
        step('bootstrap', domain, fileOf(name)),
      ];
    },
    uninstallSteps: (name) => ({ before: [bootout(name)], after: [] }),
    holdBackSteps: (name) => [{ ...bootout(name), untilGone: false }],
    restartCommand: (name) => `pao stop && launchctl kickstart ${targetOf(name)}`,
    logCommand: (_name, home) => `tail -n 50 ${shellWord(launchdLog(home))}`,
    async lastLines(_name, home) {
      const { stdout } = await run(['tail', '-n', String(LINES), launchdLog(home)]);
      return stdout.trim();
    },
    // An agent waits for the login of its person.
    startsAtBoot: async () => null,
  };
}

const NOT_THERE: ServiceState = { enabled: false, active: 'stopped', pid: null, restarts: null, end: null };

/** What `launchctl print` says of a service that is loaded: `state = running`, `pid = 123`, `last exit code = 1`. */
function readState(text: string): ServiceState {
  const get = (name: string) => new RegExp(`^\\s*${name} = (.+)$`, 'm').exec(text)?.[1] ?? '';
  const pid = Number(get('pid') || Number.NaN);
  const code = Number.parseInt(get('last exit code'), 10);
  const isRunning = get('state') === 'running';
  const hasFailed = !isRunning && code > 0;
  return {
    enabled: true,
    active: isRunning ? 'running' : hasFailed ? 'failed' : 'stopped',
    pid: Number.isInteger(pid) ? pid : null,
    restarts: null,
    end: Number.isNaN(code) ? null : `it ended with exit code ${code}`,
  };
}
