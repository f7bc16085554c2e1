import type { Config } from '../config.js';
import type { Fallback } from './reach.js';

/** Which service a child process runs. */
export type ServiceKind = 'api' | 'scheduler' | 'worker';

/** What a child is told once, over IPC: settings may hold passwords, so they travel neither by argv nor by environment. */
export interface ServiceInit {
  kind: ServiceKind;
  /** Bounded name of its place: `api`, `scheduler`, `w1`, `w2`, … */
  slot: string;
  /** New for each start of a process, so that a successor never renews the leases of the one before. */
  workerId: string;
  config: Config;
  databaseUrl: string;
  home: string;
  version: string;
  /** Wall time minus real time, milliseconds; null outside a test system. */
  clockOffsetMs: number | null;
  /** For the API: when the system started and what it is made of. */
  startedAt: number;
  /** Its name among the workers of one host, where `slot` is every host's; `slot` when left out. */
  place?: string;
  /** Where a service that runs on its own answers `/metrics` and `/health`; nowhere when left out. The API has its own. */
  endpoint?: { host: string; port: number };
  /** What the system was configured with and goes on without; health says so. */
  fallbacks: Fallback[];
}

export type ToChild = { type: 'init'; init: ServiceInit } | { type: 'stop'; graceMs: number };

export type FromChild =
  | { type: 'ready'; url?: string }
  | {
      type: 'failed';
      error: { code: string; message: string; exitCode: number; status: number; hints: string[] };
    }
  | { type: 'stopped'; summary: Record<string, number> };
