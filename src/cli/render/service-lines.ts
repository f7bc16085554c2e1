import type { Output } from '../output.js';
import type { ServiceRemark } from '../service/find-program.js';
import type { InstallPlan, InstallResult } from '../service/install-service.js';
import type { ServiceManager, ServiceState } from '../service/manager.js';
import { typed } from '../service/run-steps.js';
import type { ServiceStatus } from '../service/service-status.js';
import { visible } from '../visible.js';

const FIRST_TIME: ServiceState = { enabled: false, active: 'stopped', pid: null, restarts: null, end: null };

/** `--print`: the file, and the commands that would follow. @returns what `--json` prints. */
export function printPlan(
  out: Output,
  manager: ServiceManager,
  { name, file, content, status, changes }: InstallPlan,
  remarks: readonly ServiceRemark[],
): object {
  const commands = manager.installSteps(name, FIRST_TIME, true).map(typed);
  out.note(`${file} would be ${{ new: 'written', updated: 'changed', unchanged: 'as it is' }[status]}:`);
  out.raw(content);
  out.note('\nand then:');
  for (const command of commands) out.note(command);
  showRemarks(out, remarks);
  return { status: 'printed', would_be: status, name, file, content, changes, commands, remarks };
}

/** `--print` where a person has to type it. @returns what `--json` prints. */
export function printCommands(out: Output, commands: readonly string[]): object {
  out.note('pao can not do this itself here. Into PowerShell:');
  for (const command of commands) out.line(command);
  return { status: 'printed', commands };
}

/** What an installation did, and what else there is to know. */
export function showInstalled(
  out: Output,
  done: {
    manager: ServiceManager;
    plan: InstallPlan;
    result: InstallResult;
    remarks: readonly ServiceRemark[];
    startsAtBoot: boolean | null;
    home: string;
  },
): void {
  const { manager, plan, result, startsAtBoot, home } = done;
  const { bullet } = out.symbols;
  const words = { installed: 'Wrote', updated: 'Changed', unchanged: 'Nothing to change in' }[result.status];
  out.success(`${words} ${visible(plan.file)}`);
  for (const { change, line } of plan.status === 'updated' ? plan.changes : [])
    out.note(`  ${change === 'added' ? '+' : '-'} ${visible(line)}`);
  out.success(`pao runs under it (process ${result.pid}), and is started ${whenStarted(startsAtBoot)}`);
  showRemarks(out, done.remarks);
  if (startsAtBoot === false) {
    out.note(`${bullet} It ends when you log out. To have it run from boot on, without a login:`);
    out.hint('loginctl enable-linger');
  }
  out.hint('pao service status');
  out.hint(manager.logCommand(plan.name, home));
}

/** How a service is. */
export function showServiceStatus(out: Output, status: ServiceStatus): void {
  const { paint } = out;
  if (!status.installed || status.name === null) {
    out.line(`No service starts pao on ${visible(status.home)}.`);
    if (status.running_pid !== null)
      out.note(`It runs (process ${status.running_pid}), started by hand, until the next reboot.`);
    out.hint('pao service install');
    return;
  }
  const word = {
    running: paint.green('running'),
    starting: paint.yellow('starting'),
    stopped: paint.yellow('stopped'),
    failed: paint.red('failed'),
    unknown: paint.yellow('unknown'),
  }[status.active];
  out.line(`The service ${status.name} is ${word}${status.pid === null ? '' : ` (process ${status.pid})`}`);
  const started = status.enabled ? whenStarted(status.starts_at_boot) : 'not at login';
  out.pairs(
    [
      ['Started', started],
      ['Restarts', status.restarts === null ? '' : `${status.restarts} since it was started`],
      ['File', status.file ?? ''],
      ['Data', status.home],
      ['Node.js', status.node ?? ''],
      ['pao', `${status.bin}${status.version_installed === null ? '' : ` (${status.version_installed})`}`],
      ['Configuration', status.config_file ?? ''],
      ['Log', `${status.log_command}; pao logs -f`],
    ]
      .filter(([, value]) => value !== '')
      .map(([name, value]) => [name as string, visible(value as string)]),
    '  ',
  );
  showRemarks(out, status.problems);
}

const whenStarted = (atBoot: boolean | null): string => (atBoot === true ? 'at boot' : 'when you log in');

function showRemarks(out: Output, remarks: readonly ServiceRemark[]): void {
  for (const { message, hint } of remarks) {
    out.warn(visible(message));
    if (hint !== null) out.hint(visible(hint));
  }
}
