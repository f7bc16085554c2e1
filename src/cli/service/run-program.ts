import { execFile } from 'node:child_process';

/** How a program of the operating system ended. */
export interface ProgramEnd {
  /** 127: there is no such program. */
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs `systemctl`, `launchctl`, …; what they say is compared, so they speak English. */
export type RunProgram = (command: readonly string[]) => Promise<ProgramEnd>;

/** A restart waits for running work, which may take ten minutes. */
const TIMEOUT_MS = 700_000;

/** Runs programs of this machine with an environment. */
export function programRunner(
  env: Readonly<Record<string, string | undefined>>,
  signal?: AbortSignal,
): RunProgram {
  return ([program = '', ...args]) =>
    new Promise((resolve, reject) => {
      const options = { env: { ...env, LC_ALL: 'C' }, timeout: TIMEOUT_MS, ...(signal ? { signal } : {}) };
      execFile(program, args, options, (error, stdout, stderr) => {
        if (signal?.aborted) reject(signal.reason as Error);
        else if (error === null) resolve({ code: 0, stdout, stderr });
        else if (error.code === 'ENOENT') resolve({ code: 127, stdout, stderr: `${program}: not found` });
        else resolve({ code: typeof error.code === 'number' ? error.code : 1, stdout, stderr });
      });
    });
}
