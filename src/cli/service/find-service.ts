import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { InstalledService, ServiceManager } from './manager.js';
import type { ServiceFacts } from './program.js';

/** The service that starts pao on a data directory; null when there is none. Needs nothing running. */
export function serviceOf(
  manager: ServiceManager,
  home: string,
): (InstalledService & { facts: ServiceFacts }) | null {
  for (const one of manager.installed()) {
    const { facts } = one;
    if (facts !== null && homeKey(facts.home) === homeKey(home)) return { ...one, facts };
  }
  return null;
}

/** The same for two paths that lead to one directory. */
export function homeKey(home: string): string {
  try {
    return realpathSync(home);
  } catch {
    return resolve(home);
  }
}
