import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ToolObject } from '../../client/api-objects.js';
import type { ToolInput } from '../../domain/tool.js';
import { type OldDatabase, writeOldDatabase } from '../../server/maintenance/old-database.js';
import type { CheckTools, SuiteOptions, SuiteSetUp } from '../check.js';
import { type LiveSystem, setUpLiveSystem } from '../live-system.js';
import { EphemeralSystem } from '../ephemeral-system.js';
import { makeTool } from '../make.js';
import { BRIEFING_SECRETS, type BriefingWorld, startBriefingWorld } from './briefing-world.js';
import { type Footprint, footprintOf } from './footprint.js';
import type { LoadMeasures } from './measures.js';
import { startToolServer, type ToolRoute, type ToolServer } from './tool-server.js';

/** How much is looked at: the heart of it, everything, everything for longer. */
export type Profile = 'quick' | 'standard' | 'full';

/** What `pao final-validation` takes besides the flags of every suite. */
export interface FinalValidationOptions extends SuiteOptions {
  profile: Profile;
  /** Measures of an earlier run to compare with, and how much worse is a failure, percent. */
  baseline: { file: string; measures: LoadMeasures } | null;
  maxRegressionPercent: number;
  /** Tasks and due times of before an upgrade; null: there was none. */
  before: { file: string; tasks: SnapshotTask[]; taken_at: string } | null;
}

/** A task as it was before an upgrade. */
export interface SnapshotTask {
  id: string;
  name: string;
  state: string;
  /** The next occurrences from the moment of the snapshot on, RFC 3339. */
  next: string[];
}

/** What the checks of the final validation look at. */
export interface World extends LiveSystem {
  options: Pick<FinalValidationOptions, 'profile' | 'baseline' | 'maxRegressionPercent' | 'before'>;
  /** The outside world. */
  toolServer: ToolServer;
  /** Another system on a clock of its own, with the five servers of the morning briefing; started when first asked for. */
  briefing(tools: Pick<CheckTools, 'progress'>): Promise<BriefingWorld>;
  /** What the system's processes held before the first check. */
  footprint: Footprint | null;
  /** `pao start system` with a PostgreSQL and a Redis that are not there. */
  startWithoutServers(signal: AbortSignal): Promise<EphemeralSystem>;
  /** Writes a database of the first version of pao. */
  writeOldDatabase(path: string, now: number): Promise<OldDatabase>;
  packageRoot: string;
  /** For files of the checks; removed at the end. */
  folder: string;
}

/** Starts what the checks need: the system (unless there is a target) and the outside world. */
export async function setUpWorld(
  options: FinalValidationOptions,
  progress: (text: string) => void,
): Promise<SuiteSetUp<World>> {
  const setUp = await setUpLiveSystem(options, progress, {
    workers: 2,
    // A crash of everything is over when the leases are; and the load is the suite's own, from one token.
    config: { lease: '6s', rate_limit: { per_second: 100_000, burst: 100_000 } },
  });
  const toolServer = await startToolServer();
  const { own } = setUp.context;
  const folder = own?.directory ?? mkdtempSync(join(tmpdir(), 'pao-check-'));
  let briefing: Promise<BriefingWorld> | null = null;
  const world: World = {
    ...setUp.context,
    options,
    toolServer,
    briefing(tools) {
      const { packageRoot, signal } = options;
      briefing ??= startBriefingWorld({ packageRoot, signal, progress: tools.progress });
      return briefing;
    },
    footprint: own === null ? null : footprintOf(own),
    writeOldDatabase,
    startWithoutServers: (signal) =>
      EphemeralSystem.start({
        packageRoot: options.packageRoot,
        signal,
        kind: 'system',
        args: ['--wait', '1s'],
        // Port 9 is that of the discard service: nothing listens there.
        env: { DATABASE_URL: 'postgres://pao@127.0.0.1:9/pao', REDIS_URL: 'redis://127.0.0.1:9' },
      }),
    packageRoot: options.packageRoot,
    folder,
  };
  return {
    ...setUp,
    context: world,
    secrets: [...(setUp.secrets ?? []), ...Object.values(BRIEFING_SECRETS)],
    async dispose() {
      const started = await (briefing as Promise<BriefingWorld> | null)?.catch(() => null);
      await Promise.all([started?.close(), toolServer.close(), setUp.dispose()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A tool that calls a route of the outside world. */
export function makeRouteTool(
  world: World,
  tools: CheckTools,
  route: ToolRoute,
  changes: Partial<ToolInput> & { method?: 'GET' | 'POST' } = {},
): Promise<ToolObject> {
  const { method = 'POST', ...rest } = changes;
  return makeTool(world, tools, {
    kind: 'http',
    side_effect: 'read',
    grants: world.toolServer.grants,
    http: { method, url: route.url, ...(method === 'POST' ? { body: '${input}' } : {}) },
    ...rest,
  });
}
