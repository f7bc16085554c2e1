import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { askHealth } from '../../cli/ask-health.js';
import { formatDuration } from '../../domain/duration.js';
import type { HealthReport } from '../../domain/health.js';
import { portOwner, portProblem } from '../../server/supervisor/port-owner.js';
import { holdExclusively } from '../../server/store/sqlite/exclusive-file.js';
import { CheckSkipped, type CheckTools } from '../check.js';
import { descendantsOf } from '../process-tree.js';
import type { DoctorContext } from './context.js';
import { serviceHere } from './reboot.js';
import { broken, type DoctorCheck, doubtful, some } from './finding.js';

const ANSWER_TIMEOUT_MS = 3000;
const SILENT_MS = 15_000;

export const processChecks: readonly DoctorCheck[] = [
  {
    id: 'processes.lock',
    title: 'The data directory is held by a pao that answers, or by nobody',
    group: 'Processes',
    async run(context) {
      const lock = context.path('run', 'lock.db');
      const running = context.running();
      if (!existsSync(lock)) return { held: false };
      const release = await patiently(() => holdExclusively(lock));
      release?.();
      if (release !== null && running === null) return { held: false };
      if (release !== null && running !== null) {
        throw broken({
          what: `Process ${running.pid} says that it runs here, and does not hold the data directory.`,
          why: 'A second pao could start on the same data.',
          command: 'pao stop --force',
          evidence: { pid: running.pid },
        });
      }
      if (running !== null) return { held: true, pid: running.pid };
      const holder = holderOf(lock);
      throw broken({
        what: `${holder === null ? 'Some process' : `Process ${holder}`} holds ${context.place.home}, and is not ready.`,
        why: 'It is just starting, or it hangs: no other pao can start here.',
        command: holder === null ? `fuser -v ${lock}` : `ps -fp ${holder}`,
        evidence: { holder },
      });
    },
  },
  {
    id: 'processes.health',
    title: 'The running server is healthy',
    group: 'Processes',
    timeoutMs: 10_000,
    async run(context, tools) {
      const server = context.server();
      const report = await healthOf(server.url, tools);
      if (report === null) {
        throw broken({
          what: `pao runs (process ${server.pid}), and ${server.url} does not answer.`,
          why: 'Commands and agents can not reach it.',
          command: 'pao logs --level warn',
          evidence: { url: server.url, pid: server.pid },
        });
      }
      const bad = report.checks.filter(({ status }) => status !== 'pass');
      const evidence = { url: server.url, status: report.status, uptime_seconds: report.uptime_seconds };
      if (bad.length === 0) return evidence;
      const words = bad.map(({ name, message }) => `${name}: ${message}`).join('\n');
      const finding = {
        what: `pao is ${report.status}.\n${words}`,
        why: 'Something does not work, or not fully.',
        command: bad.find(({ hint }) => hint && hint !== 'pao doctor')?.hint ?? 'pao status',
        evidence: { ...evidence, checks: bad },
      };
      throw bad.some(({ status }) => status === 'fail') ? broken(finding) : doubtful(finding);
    },
  },
  {
    id: 'processes.version',
    title: 'The running server is the version that is installed',
    group: 'Processes',
    async run(context) {
      const { version } = context.server();
      if (version === context.place.version) return { version };
      throw doubtful({
        what: `pao ${version} runs, and ${context.place.version} is installed.`,
        why: 'Its services load their code from files that are not there any more.',
        command: restartCommand(context),
        evidence: { running: version, installed: context.place.version },
      });
    },
  },
  {
    id: 'processes.port',
    title: 'The port is free, or it is pao that has it',
    group: 'Processes',
    async run(context) {
      const { config } = await context.config().catch(() => {
        throw new CheckSkipped('The configuration is wrong.', 'pao doctor --only config.valid');
      });
      const running = context.running();
      if (running !== null) return { port: Number(new URL(running.url).port), by: 'pao' };
      const problem = await portProblem(config.host, config.port);
      if (problem === null) return { host: config.host, port: config.port, free: true };
      const owner = problem === 'EADDRINUSE' ? portOwner(config.port) : null;
      throw broken({
        what:
          problem === 'EADDRINUSE'
            ? `Port ${config.port} is in use${owner === null ? '' : ` by ${owner.command} (process ${owner.pid})`}.`
            : `${config.host}:${config.port} can not be listened on (${problem}).`,
        why: 'pao can not start on it.',
        command:
          problem === 'EADDRINUSE'
            ? `pao start local --port ${config.port + 1}`
            : 'pao start local --host 127.0.0.1',
        evidence: { host: config.host, port: config.port, code: problem, owner },
      });
    },
  },
  {
    id: 'processes.orphans',
    title: 'No service of pao runs without its supervisor',
    group: 'Processes',
    async run(context) {
      const running = context.running();
      const own = new Set(running === null ? [] : [running.pid, ...descendantsOf(running.pid)]);
      const orphans = servicesOn(context).filter((pid) => !own.has(pid) && isAlone(pid));
      if (orphans.length === 0) return { services: own.size };
      throw broken({
        what: `${orphans.length === 1 ? 'Process' : 'Processes'} ${some(orphans.map(String), 8)} of pao lost their supervisor and did not end.`,
        why: 'They may hold work and the port, and nobody restarts or stops them.',
        command: `kill ${orphans.join(' ')}`,
        evidence: { pids: orphans },
      });
    },
  },
  {
    id: 'processes.workers',
    title: 'Scheduler and workers give signs of life',
    group: 'Processes',
    async run(context) {
      const { pid } = context.server();
      const workers = await (await context.store()).listWorkers();
      const own = descendantsOf(pid);
      const now = context.place.now();
      const silent = workers.filter(
        (worker) => now - worker.lastSeenAt > SILENT_MS && own.includes(worker.pid),
      );
      if (silent.length === 0) return { seen: workers.length };
      throw broken({
        what: silent
          .map(
            ({ slot, pid: one, lastSeenAt }) =>
              `${slot} (process ${one}) gave its last sign of life ${formatDuration(now - lastSeenAt)} ago.`,
          )
          .join('\n'),
        why: 'It hangs or was stopped: its work is taken back when its leases run out.',
        command: `kill -CONT ${silent[0]?.pid}`,
        evidence: { silent: silent.map(({ slot, pid: one }) => ({ slot, pid: one })) },
      });
    },
  },
  {
    id: 'processes.clock',
    title: "The server's clock and this one agree",
    group: 'Time',
    timeoutMs: 10_000,
    async run(context, { signal }) {
      const { url } = context.server();
      const before = context.place.now();
      const response = await fetch(`${url}/health/live`, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
      }).catch(() => null);
      const date = Date.parse(response?.headers.get('date') ?? '');
      if (Number.isNaN(date)) throw new CheckSkipped('It did not say what time it is.', 'pao status');
      const skew = date - before;
      // The Date header is in whole seconds.
      if (Math.abs(skew) < 2500) return { skew_ms: skew };
      throw broken({
        what: `The server's clock is ${formatDuration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} this one.`,
        why: 'Tasks run when its clock says so.',
        command: 'timedatectl status',
        evidence: { skew_ms: skew },
      });
    },
  },
];

/** What brings the pao that runs up to what is installed. */
function restartCommand(context: DoctorContext): string {
  const here = serviceHere(context);
  return here === null
    ? 'pao stop && pao start local --detach'
    : here.manager.restartCommand(here.service.name);
}

async function healthOf(url: string, { signal }: CheckTools): Promise<HealthReport | null> {
  const ends = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]);
  const report = await askHealth({ url, token: null, timeoutMs: ANSWER_TIMEOUT_MS, signal: ends }).catch(
    () => null,
  );
  return Array.isArray(report?.checks) ? report : null;
}

/** Another look at the same moment holds the lock as well, for a moment. */
async function patiently<T>(attempt: () => T | null): Promise<T | null> {
  for (let left = 5; ; left--) {
    const result = attempt();
    if (result !== null || left === 0) return result;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Service processes that have a file of this data directory open (Linux; elsewhere none). */
function servicesOn({ place }: DoctorContext): number[] {
  if (!existsSync(place.home)) return [];
  const home = `${realpathSync(place.home)}/`;
  return processIds().filter((pid) => {
    const args = read(`/proc/${pid}/cmdline`).split('\0');
    if (!args.some((arg) => /(^|\/)(service|lease-keeper)\.cjs$/.test(arg))) return false;
    return filesOf(pid).some((file) => file.startsWith(home));
  });
}

/** Whether a process is not the child of a pao that starts or runs. */
function isAlone(pid: number): boolean {
  const parent = parentOf(pid);
  return parent !== null && !read(`/proc/${parent}/cmdline`).split('\0').includes('start');
}

function parentOf(pid: number): number | null {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[1] === undefined ? null : Number(fields[1]);
}

function holderOf(file: string): number | null {
  const path = realpathSync(file);
  return processIds().find((pid) => pid !== process.pid && filesOf(pid).includes(path)) ?? null;
}

/** The files a process has open; none when it ended meanwhile, or is not ours to look at. */
function filesOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((descriptor) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${descriptor}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

function processIds(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
