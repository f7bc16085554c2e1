import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildIfStale } from '../../scripts/build.mjs';

/** The folder of the package. */
export const root = fileURLToPath(new URL('../..', import.meta.url));
const bin = join(root, 'bin', 'run.cjs');

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  env?: Record<string, string | undefined>;
  cwd?: string;
  /** What stdin holds; it is empty when left out. */
  input?: string;
  /** Run just after the start, with the child at hand. */
  meanwhile?: (child: ReturnType<typeof spawn>) => Promise<void> | void;
}

/** Runs the built `pao` as a person would, in a home of its own. */
export async function runPao(args: string[], options: RunOptions = {}): Promise<Ended> {
  await buildIfStale();
  const home = mkdtempSync(join(tmpdir(), 'pao-cli-'));
  try {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? home,
      env: {
        PATH: process.env['PATH'],
        HOME: home,
        LANG: 'C.UTF-8',
        PAO_HOME: join(home, 'data'),
        ...options.env,
      },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
    const ended = new Promise<Pick<Ended, 'code' | 'signal'>>((resolve) =>
      child.once('close', (code, signal) => resolve({ code, signal })),
    );
    await options.meanwhile?.(child);
    return { ...(await ended), stdout, stderr };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}
