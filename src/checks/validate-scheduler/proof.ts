import { execFile } from 'node:child_process';
import { type Clock, systemClock } from '../../domain/clock.js';
import {
  compileRecurrence,
  cronSecondOpinion,
  nextOccurrences,
  timeZoneDatabaseVersion,
  validate,
} from '../../domain/recurrence/index.js';
import { type Simulation, startSimulation } from './simulation.js';

/** How a child process ended. */
export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** What `pao validate scheduler` looks at. Tests put something broken in the place of each part. */
export interface SchedulerProof {
  /** The engine that every schedule is computed with. */
  engine: {
    nextOccurrences: typeof nextOccurrences;
    validate: typeof validate;
    compile: typeof compileRecurrence;
    secondOpinion: typeof cronSecondOpinion;
  };
  zones: { names(): string[]; version(): string };
  /** The real scheduler over a store in memory, on a clock that is moved by hand. */
  simulate: (options: Parameters<typeof startSimulation>[0]) => Promise<Simulation>;
  /** Runs a script in a process of its own: a native module that is broken may take its process with it. */
  runNode: (script: string, args: readonly string[], signal: AbortSignal) => Promise<Ended>;
  packageRoot: string;
  clock: Clock;
}

/** This installation. */
export function schedulerProof(packageRoot: string): SchedulerProof {
  return {
    engine: { nextOccurrences, validate, compile: compileRecurrence, secondOpinion: cronSecondOpinion },
    zones: { names: () => Intl.supportedValuesOf('timeZone'), version: timeZoneDatabaseVersion },
    simulate: startSimulation,
    runNode,
    packageRoot,
    clock: systemClock,
  };
}

function runNode(script: string, args: readonly string[], signal: AbortSignal): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { signal, env: { PATH: process.env['PATH'] }, maxBuffer: 1_048_576 };
    execFile(process.execPath, ['-e', script, ...args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1;
      // A process that a signal ended has said nothing.
      resolve({ code, stdout, stderr: stderr === '' && error !== null ? error.message : stderr });
    });
  });
}
