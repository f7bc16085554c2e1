import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT, PaoError } from '../../domain/errors.js';
import { isRedisUrl } from '../../domain/redis-url.js';
import { readDatabaseUrl, shownDatabase } from '../store/database-url.js';
import { openStore } from '../store/open.js';

/** How long a start waits for what it needs, and what it does without it. */
export interface ReachOptions {
  /** Longest wait for each, milliseconds. */
  waitMs: number;
  /** Refuses to start instead of going on without. */
  strict: boolean;
  signal: AbortSignal;
  /** Told each time something did not answer. */
  say(message: string, fields: object): void;
}

/** Something the system goes on without. */
export interface Fallback {
  component: 'store' | 'bus';
  message: string;
  hint: string;
}

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 4000;

/**
 * Finds out whether the database answers, trying again for a while; when it does not, the local one takes its place.
 * What is wrong with an answer (credentials, no such database, a newer schema) is never passed over.
 * @returns the URL to use, and what was given up for it.
 * @throws PaoError exit 3 under `strict`, else only for an answer that is an error.
 */
export async function reachDatabase(
  url: string,
  home: string,
  options: ReachOptions,
): Promise<{ url: string; fallback: Fallback | null }> {
  if (readDatabaseUrl(url)?.engine !== 'postgres') return { url, fallback: null };
  const failure = await tryFor(options, 'the database', async () => {
    const store = await openStore({ url });
    try {
      await store.ping();
    } catch (error) {
      // An empty database is one that answers.
      if (!(error instanceof PaoError) || error.code !== 'PAO_STORE_NOT_MIGRATED') throw error;
    } finally {
      await store.close();
    }
  });
  if (failure === null) return { url, fallback: null };
  if (options.strict) throw failure;
  const local = `sqlite:${join(home, 'orchestrator.db')}`;
  return {
    url: local,
    fallback: {
      component: 'store',
      message: `${failure.message} This start works on ${shownDatabase(local)} instead: tasks of the other database do not run, and what is created now stays here.`,
      hint: failure.hints[0] ?? 'pao doctor',
    },
  };
}

/**
 * Finds out whether Redis answers. Without it the system is right all the same: other machines are woken by their polls,
 * and it is taken up by itself when it answers.
 * @throws PaoError exit 3 under `strict`, exit 2 when it refuses the credentials.
 */
export async function reachRedis(url: string, options: ReachOptions): Promise<Fallback | null> {
  if (!isRedisUrl(url)) return null;
  const { probeRedis } = await import('../bus/redis-bus.js');
  const failure = await tryFor(options, 'Redis', async () => {
    await probeRedis(url);
  });
  if (failure === null) return null;
  if (options.strict) throw failure;
  return {
    component: 'bus',
    message: `${failure.message} This start goes on without it and takes it up when it answers.`,
    hint: failure.hints[0] ?? 'pao doctor',
  };
}

/** @returns null when it answered, else why it did not until the time was up. */
async function tryFor(
  { waitMs, signal, say }: ReachOptions,
  what: string,
  attempt: () => Promise<void>,
): Promise<PaoError | null> {
  const deadline = performance.now() + waitMs;
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(LONGEST_PAUSE_MS, pause * 2)) {
    signal.throwIfAborted();
    try {
      await attempt();
      return null;
    } catch (error) {
      if (!(error instanceof PaoError) || error.exitCode !== EXIT.unavailable) throw error;
      const left = deadline - performance.now();
      if (left <= 0) return error;
      const wait = Math.min(pause, left);
      say(`${error.message} Trying again.`, { component: what, in_ms: Math.round(wait) });
      // An abort is told by the check above.
      await sleep(wait, undefined, { signal }).catch(() => {});
    }
  }
}
