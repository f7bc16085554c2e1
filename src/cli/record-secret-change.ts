import type { SecretChange } from '../client/api-objects.js';
import type { Connection } from './connection.js';
import type { Output } from './output.js';

/** How long a server may take that is only told, milliseconds. */
const PATIENCE_MS = 5000;

/**
 * Has the running server write into the audit log what was done to the stored secrets, which needs no server itself.
 * Says plainly when there is no record of it.
 * @returns whether it was recorded.
 */
export async function recordSecretChange(
  change: SecretChange,
  connection: () => Connection,
  { out, signal }: { out: Pick<Output, 'warn'>; signal: AbortSignal },
): Promise<boolean> {
  try {
    const { PaoClient } = await import('../client/pao-client.js');
    const server = connection();
    if (server.token === null) throw new Error('no pao was started on this data directory.');
    const client = new PaoClient(server);
    await client.recordSecretChange(change, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    out.warn(`The audit log has no record of this: ${why}`);
    return false;
  }
}
