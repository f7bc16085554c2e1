import { fileURLToPath } from 'node:url';
import { buildIfStale } from '../../scripts/build.mjs';
import { EphemeralSystem, type EphemeralSystemOptions } from '../../src/checks/ephemeral-system.js';
import { type LiveSystem, liveSystem } from '../../src/checks/live-system.js';
import { until } from '../e2e/start-pao.js';
import { type SabotageProxy, startSabotageProxy } from './sabotage-proxy.js';

const packageRoot = fileURLToPath(new URL('../..', import.meta.url));

/** A real system behind a proxy that spoils answers, and the means to break the system itself. */
export interface BrokenSystem {
  system: EphemeralSystem;
  proxy: SabotageProxy;
  /** What a check is given: it looks at the system through the proxy, and waits for a second at most. */
  live: LiveSystem;
  /** Holds one of its processes while `work` goes on. */
  holding(place: string, work: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

export async function startBrokenSystem(
  options: Partial<EphemeralSystemOptions> = {},
): Promise<BrokenSystem> {
  await buildIfStale();
  const system = await EphemeralSystem.start({
    packageRoot,
    signal: new AbortController().signal,
    ...options,
  });
  const proxy = await startSabotageProxy(system.url);
  const live = { ...liveSystem(proxy.url, system.token, system), patienceMs: 1000 };
  return {
    system,
    proxy,
    live,
    async holding(place, work) {
      const pid = system.pids[place] as number;
      process.kill(pid, 'SIGSTOP');
      try {
        await work();
      } finally {
        process.kill(pid, 'SIGCONT');
      }
    },
    async close() {
      await proxy.close();
      await system.dispose();
    },
  };
}

/** Waits until the health report shows that none of a kind gives a sign of life. */
export async function untilSilent({ system }: BrokenSystem, part: string): Promise<void> {
  await until(`${part} to be silent`, async () => {
    const response = await fetch(`${system.url}/health`);
    const { checks } = (await response.json()) as { checks: { name: string; alive?: number }[] };
    return checks.find(({ name }) => name === part)?.alive === 0;
  });
}
