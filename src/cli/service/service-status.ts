import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type RunFile, readRunFile } from '../../server/supervisor/run-file.js';
import { serviceOf } from './find-service.js';
import type { ServiceRemark } from './find-program.js';
import type { ServiceFacts } from './program.js';
import type { ServiceManager, ServiceState } from './manager.js';

/** How the service of a data directory is, as `pao service status --json` prints it. */
export interface ServiceStatus {
  installed: boolean;
  manager: ServiceManager['id'];
  home: string;
  name: string | null;
  file: string | null;
  enabled: boolean;
  /** `unknown`: there is no session of the person's in which it could be asked for. */
  active: ServiceState['active'] | 'unknown';
  pid: number | null;
  restarts: number | null;
  last_end: string | null;
  /** Whether it starts at boot, without a login; null when that is not known. */
  starts_at_boot: boolean | null;
  node: string | null;
  bin: string | null;
  config_file: string | null;
  /** Of the files the service starts; null when they are gone. */
  version_installed: string | null;
  /** Of the pao that runs on the data directory, whoever started it; null when none does. */
  version_running: string | null;
  running_pid: number | null;
  log_command: string | null;
  problems: ServiceRemark[];
}

/** How the service of a data directory is. */
export async function serviceStatus(manager: ServiceManager, home: string): Promise<ServiceStatus> {
  const service = serviceOf(manager, home);
  const running = readRunFile(home);
  const isUsable = service !== null && (await manager.isUsable());
  const state = service !== null && isUsable ? await manager.state(service.name) : null;
  const { facts = null, name = null, file = null } = service ?? {};
  const status: ServiceStatus = {
    installed: service !== null,
    manager: manager.id,
    home,
    name,
    file,
    enabled: state?.enabled ?? false,
    active: state?.active ?? (service === null ? 'stopped' : 'unknown'),
    pid: state?.pid ?? null,
    restarts: state?.restarts ?? null,
    last_end: state?.pid === null ? state.end : null,
    starts_at_boot: service === null ? null : await manager.startsAtBoot(),
    node: facts?.node ?? null,
    bin: facts?.bin ?? null,
    config_file: facts?.config ?? null,
    version_installed: facts === null ? null : versionOf(facts.bin),
    version_running: running?.version ?? null,
    running_pid: running?.pid ?? null,
    log_command: name === null ? null : manager.logCommand(name, home),
    problems: [],
  };
  if (facts !== null && name !== null)
    status.problems.push(...problemsOf({ status, facts, running, restart: manager.restartCommand(name) }));
  return status;
}

/** What a service needs that is not there any more. */
export function missingOf({ node, bin, config }: ServiceFacts): string[] {
  return [node, bin, ...(config === null ? [] : [config])].filter((path) => !existsSync(path));
}

function problemsOf(seen: {
  status: ServiceStatus;
  facts: ServiceFacts;
  running: RunFile | null;
  restart: string;
}): ServiceRemark[] {
  const { status, facts, running, restart } = seen;
  const { active, enabled, version_installed: installed, version_running: runs } = status;
  const problems: ServiceRemark[] = [];
  const add = (is: boolean, message: string, hint: string) => is && problems.push({ message, hint });
  const missing = missingOf(facts);
  add(missing.length > 0, `What it needs is gone: ${missing.join(', ')}.`, 'pao service install');
  add(
    active === 'unknown',
    'There is no session of yours here that could be asked how it is.',
    'export XDG_RUNTIME_DIR=/run/user/$(id -u)',
  );
  add(active !== 'unknown' && !enabled, 'It is not started at login.', 'pao service install');
  add(
    running !== null && active !== 'unknown' && running.pid !== status.pid,
    `The pao that runs (process ${running?.pid}) was started by hand: nothing brings it back when it crashes.`,
    'pao service install --yes   hands over',
  );
  add(
    running === null && (active === 'stopped' || active === 'failed'),
    `It does not run${status.last_end === null ? '' : ` (${status.last_end})`}.`,
    'pao service install   starts it',
  );
  add(
    active === 'starting' && status.last_end !== null,
    `It does not stay, and is started again in a moment (${status.last_end}).`,
    status.log_command ?? 'pao logs',
  );
  add(
    installed !== null && runs !== null && installed !== runs,
    `pao ${runs} runs, and ${installed} is installed.`,
    restart,
  );
  return problems;
}

/** The version of the package that a program is of. */
function versionOf(bin: string): string | null {
  try {
    const text = readFileSync(join(dirname(dirname(bin)), 'package.json'), 'utf8');
    return (JSON.parse(text) as { version?: string }).version ?? null;
  } catch {
    return null;
  }
}
