import type { Clock } from '../../domain/clock.js';
import type { SecretUse } from './secrets.js';

/** Where the last use of a secret is kept, followed by its name. */
const PREFIX = 'secret_used/';
/** It is written at most this often for a name, milliseconds. */
const EVERY_MS = 60_000;
const MOST = 1000;

/** What a use of a secret is kept in. */
interface UseStore {
  setMeta(key: string, value: string): Promise<void>;
  listMeta(prefix: string, limit: number): Promise<{ key: string; value: string }[]>;
}

/** The last known use of a secret. */
export interface LastUse {
  /** Epoch milliseconds. */
  at: number;
  tool: string | null;
  agent: string | null;
}

/** Notes who used a secret last: for people, so a write that fails is only told to the log. */
export function noteSecretUse(options: {
  store: UseStore;
  clock: Clock;
  logger: { warn(fields: object, message: string): void };
}): (name: string, use: SecretUse) => void {
  const written = new Map<string, number>();
  return (name, { tool, agent }) => {
    const at = options.clock.now();
    if (at - (written.get(name) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return;
    written.set(name, at);
    const use: LastUse = { at, tool: tool ?? null, agent: agent ?? null };
    options.store
      .setMeta(PREFIX + name, JSON.stringify(use))
      .catch((error: Error) =>
        options.logger.warn({ reason: error.message }, 'the use of a secret could not be noted'),
      );
  };
}

/** The last use of each secret, by name. */
export async function lastSecretUses(store: UseStore): Promise<Map<string, LastUse>> {
  const rows = await store.listMeta(PREFIX, MOST);
  return new Map(rows.map(({ key, value }) => [key.slice(PREFIX.length), JSON.parse(value) as LastUse]));
}
