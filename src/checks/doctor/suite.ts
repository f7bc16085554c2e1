import { homedir } from 'node:os';
import { programRunner } from '../../cli/service/run-program.js';
import { whyNoService } from '../../cli/service/why-no-service.js';
import type { Suite, SuiteOptions, SuiteSetUp } from '../check.js';
import { accessChecks } from './access.js';
import { configurationChecks } from './configuration.js';
import { DoctorContext } from './context.js';
import { databaseChecks } from './database.js';
import { fileChecks } from './files.js';
import { processChecks } from './processes.js';
import { rebootChecks } from './reboot.js';
import { questionChecks } from './questions.js';
import { offsetAt, runtimeChecks } from './runtime.js';
import { serviceChecks } from './services.js';
import { shellChecks } from './shell.js';
import { secretStoreChecks } from './secrets.js';
import { toolChecks } from './tools.js';
import { workChecks } from './work.js';

const MIB = 1024 * 1024;

export interface DoctorOptions extends SuiteOptions {
  home: string;
  userHome: string;
  cwd: string;
  /** Given the context once it is there: what it found to put right. */
  onContext?: (context: DoctorContext) => void;
}

/** `pao doctor`: what is wrong here and what to type. Needs nothing running and changes nothing. */
export const doctor: Suite<DoctorContext, DoctorOptions> = {
  id: 'doctor',
  title: 'What is wrong here and what to type',
  command: 'pao doctor',
  checks: [
    ...runtimeChecks,
    ...fileChecks,
    ...secretStoreChecks,
    ...configurationChecks,
    ...databaseChecks,
    ...processChecks,
    ...workChecks,
    ...questionChecks,
    ...accessChecks,
    ...serviceChecks,
    ...rebootChecks,
    ...shellChecks,
    ...toolChecks,
  ],
  setUp: setUpDoctor,
};

/** A look at this place; the database and the server are looked at as checks ask for them. */
export async function setUpDoctor(options: DoctorOptions): Promise<SuiteSetUp<DoctorContext>> {
  const context = new DoctorContext({
    home: options.home,
    userHome: options.userHome || homedir(),
    cwd: options.cwd,
    env: options.env,
    packageRoot: options.packageRoot,
    version: options.version,
    nodeVersion: process.version,
    limitsFile: '/proc/self/limits',
    offsetAt,
    lowDisk: { warn: 256 * MIB, fail: 32 * MIB },
    muchSpace: { log: 64 * MIB, unused: 128 * MIB },
    reboot: {
      whyNot: whyNoService(options),
      folders: ['/etc/systemd/system', '/Library/LaunchDaemons'],
      crontab: async () => (await programRunner(options.env, options.signal)(['crontab', '-l'])).stdout,
    },
    now: Date.now,
  });
  options.onContext?.(context);
  const running = context.running();
  const loaded = await context.config().catch(() => null);
  const url = await context.databaseUrl().catch(() => '');
  return {
    context,
    target: {
      url: running?.url ?? null,
      store: url.startsWith('postgres') ? 'postgres' : 'sqlite',
      bus: loaded?.config.redis_url.startsWith('redis') ? 'redis' : 'memory',
      ephemeral: false,
    },
    has: new Set(),
    dispose: () => context.close(),
  };
}
