import type { ServiceFacts, ServiceProgram } from './program.js';

/** How a service is, as the operating system tells. */
export interface ServiceState {
  /** Whether it is started at login. */
  enabled: boolean;
  active: 'running' | 'starting' | 'stopped' | 'failed';
  /** Of what it started; null when nothing runs. */
  pid: number | null;
  /** How often it was started again since it was last started by hand; null when that is not told. */
  restarts: number | null;
  /** How it last ended, in words; null when it did not. */
  end: string | null;
}

/** A file that starts pao, and what it says of itself. */
export interface InstalledService {
  name: string;
  file: string;
  /** Null: pao did not write it. */
  facts: ServiceFacts | null;
}

/** A command of the operating system, and exit codes besides 0 with which all is well. */
export interface ManagerStep {
  command: readonly string[];
  tolerate?: readonly number[] | 'all';
  /** What was told to end is waited for: what comes next would find it there. */
  untilGone?: boolean;
}

/** What starts programs at login: the person's own systemd, or launchd. */
export interface ServiceManager {
  id: 'systemd' | 'launchd';
  /** Whether the service reads `service.env` of the data directory. */
  hasEnvironmentFile: boolean;
  /** The file of a service by its short name, `pao` first of all. */
  fileOf(name: string): string;
  /** Every service of pao there is a file of; needs nothing running. */
  installed(): InstalledService[];
  /** Whether its file is one that is started at login; needs nothing running. */
  isStartedAtLogin(name: string): boolean;
  render(program: ServiceProgram, name: string): string;
  /** Whether it answers: there may be no session of the person's, or no such program at all. */
  isUsable(): Promise<boolean>;
  /** @throws PaoError (exit 3) when it does not answer, with what to do instead. */
  assertUsable(program: ServiceProgram): Promise<void>;
  state(name: string): Promise<ServiceState>;
  /** What makes a file that was just written run. */
  installSteps(name: string, before: ServiceState, isChanged: boolean): ManagerStep[];
  /** What ends a service before its file is deleted, and what is done after. */
  uninstallSteps(name: string): { before: ManagerStep[]; after: ManagerStep[] };
  /** Takes a service down now, without waiting and without it being started again before the next login. */
  holdBackSteps(name: string): ManagerStep[];
  /** What a person types to restart it, and to see what it wrote last. */
  restartCommand(name: string): string;
  logCommand(name: string, home: string): string;
  /** The last lines that it wrote. */
  lastLines(name: string, home: string): Promise<string>;
  /** Whether it also starts at boot, without a login; null when that is not known. */
  startsAtBoot(): Promise<boolean | null>;
}
