import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serviceOf } from '../../cli/service/find-service.js';
import type { InstalledService, ServiceManager } from '../../cli/service/manager.js';
import { managerHere } from '../../cli/service/manager-here.js';
import type { ServiceFacts } from '../../cli/service/program.js';
import { missingOf } from '../../cli/service/service-status.js';
import { counted } from '../../domain/counted.js';
import { isTimed } from '../../domain/recurrence-of.js';
import { CheckSkipped } from '../check.js';
import type { DoctorContext } from './context.js';
import { broken, type DoctorCheck, doubtful } from './finding.js';
import { environmentOfProcess } from './server-environment.js';

export const rebootChecks: readonly DoctorCheck[] = [
  {
    id: 'reboot.program',
    title: 'What is to start pao after a reboot is there',
    group: 'Reboot',
    async run(context) {
      const service = serviceHere(context)?.service ?? null;
      if (service === null)
        throw new CheckSkipped('No service starts pao here.', 'pao service install --print');
      const missing = missingOf(service.facts);
      const { file, facts } = service;
      if (missing.length === 0) return { file, ...facts };
      throw broken({
        what: `${file} needs ${missing.join(' and ')}, which ${missing.length === 1 ? 'is' : 'are'} gone.`,
        why: 'pao does not start any more as it did: Node.js or pao was upgraded, moved or removed.',
        command: 'pao service install',
        evidence: { file, missing },
      });
    },
  },
  {
    id: 'reboot.started',
    title: 'Something starts pao after a reboot',
    group: 'Reboot',
    needs: ['database.schema'],
    async run(context) {
      const { whyNot } = context.place.reboot;
      if (whyNot !== null) throw new CheckSkipped(whyNot, 'pao service install --print');
      const timed = (await context.tasks()).filter(
        ({ state, spec }) => state === 'active' && isTimed(spec.schedule),
      );
      if (timed.length === 0) throw new CheckSkipped('No task waits for its time.', 'pao task list');
      const by = serviceThatStarts(context) ?? supervisorOf(context) ?? (await otherStart(context));
      if (by !== null) return { by, tasks: timed.length };
      throw doubtful({
        what: `Nothing starts pao after a reboot, and ${counted(timed.length, 'task')} ${timed.length === 1 ? 'waits for its' : 'wait for their'} time.`,
        why: 'What comes due until somebody starts it is late, or missed.',
        command: 'pao service install',
        evidence: { tasks: timed.length },
      });
    },
  },
];

/** The service that starts pao on this data directory; null when there is none. */
export function serviceHere({
  place,
}: DoctorContext): { manager: ServiceManager; service: InstalledService & { facts: ServiceFacts } } | null {
  const here = managerHere(place);
  const service = here === null ? null : serviceOf(here.manager, place.home);
  return here === null || service === null ? null : { manager: here.manager, service };
}

/** A unit is started at login when it is enabled: a link leads to it. */
function serviceThatStarts(context: DoctorContext): string | null {
  const here = serviceHere(context);
  if (here === null) return null;
  const { manager, service } = here;
  return manager.isStartedAtLogin(service.name) ? service.file : null;
}

/** What runs this pao and starts itself at boot, by what it puts into the environment of its programs (Linux). */
function supervisorOf(context: DoctorContext): string | null {
  const running = context.running();
  const env = running === null ? null : environmentOfProcess(running.pid);
  if (running === null || env === null) return null;
  const { SYSTEMD_EXEC_PID: main, INVOCATION_ID: invocation } = env;
  // A terminal that systemd started hands its INVOCATION_ID on; since 248 systemd says whom it meant.
  if (main === undefined ? invocation !== undefined : main === String(running.pid)) return 'systemd';
  if (env['pm_id'] !== undefined) return 'pm2';
  return env['SUPERVISOR_PROCESS_NAME'] === undefined ? null : 'supervisord';
}

/** A unit or daemon of the whole machine that names this data directory, or a crontab. */
async function otherStart({ place }: DoctorContext): Promise<string | null> {
  for (const folder of place.reboot.folders) {
    for (const name of listed(folder)) {
      const text = read(join(folder, name));
      if (text.includes(place.home) && /\bpao\b/.test(text)) return join(folder, name);
    }
  }
  const lines = (await place.reboot.crontab()).split('\n');
  return lines.some((line) => /^\s*@reboot\s.*\bstart\s+(local|system|--local|--system)\b/.test(line))
    ? 'crontab'
    : null;
}

function listed(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).filter((name) => /\.(service|plist)$/.test(name)) : [];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
