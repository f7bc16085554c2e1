import { readFileSync } from 'node:fs';
import type { DoctorContext } from './context.js';

/** The environment secrets come from: that of the running server where it can be read, and ours. */
export function serverEnvironment(context: DoctorContext): Record<string, string | undefined> {
  const { env } = context.place;
  const running = context.running();
  return running === null ? env : { ...env, ...environmentOfProcess(running.pid) };
}

/** The environment a process was started with (Linux); null when it can not be read. */
export function environmentOfProcess(pid: number): Record<string, string> | null {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .flatMap((line) => {
        const at = line.indexOf('=');
        return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
      });
    return Object.fromEntries(entries);
  } catch {
    return null;
  }
}
