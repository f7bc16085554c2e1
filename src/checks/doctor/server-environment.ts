import { readFileSync } from 'node:fs';
import type { DoctorContext } from './context.js';

/** The environment secrets come from: that of the running server where it can be read, and ours. */
export function serverEnvironment(context: DoctorContext): Record<string, string | undefined> {
  const { env } = context.place;
  const running = context.running();
  if (running === null) return env;
  try {
    const entries = readFileSync(`/proc/${running.pid}/environ`, 'utf8')
      .split('\0')
      .flatMap((line) => {
        const at = line.indexOf('=');
        return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
      });
    return { ...env, ...Object.fromEntries(entries) };
  } catch {
    return env;
  }
}
