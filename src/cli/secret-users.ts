import { secretNamesIn } from '../domain/tool-secrets.js';
import type { Connection } from './connection.js';

/** Longest wait for a server that is only asked who would miss a secret, milliseconds. */
const PATIENCE_MS = 5000;

/** Addresses of tools and names of tasks, sorted. */
export interface SecretUsers {
  tools: string[];
  tasks: string[];
}

/** Which tools and tasks of the running system name a secret; null when no server can say it. */
export async function usersOfSecret(
  name: string,
  connection: () => Connection,
  signal: AbortSignal,
): Promise<SecretUsers | null> {
  const { PaoClient, pages } = await import('../client/pao-client.js');
  const until = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    const client = new PaoClient(connection());
    const users: SecretUsers = { tools: [], tasks: [] };
    const options = { limit: 1000, signal: until };
    for await (const tool of pages((cursor) => client.listTools({ ...options, cursor })))
      if (secretNamesIn(tool).includes(name)) users.tools.push(tool.address);
    const state = 'active,paused';
    for await (const task of pages((cursor) => client.listTasks({ ...options, cursor, state })))
      if (secretNamesIn([task.pipeline, task.schedule]).includes(name)) users.tasks.push(task.name);
    return { tools: users.tools.sort(), tasks: users.tasks.sort() };
  } catch {
    signal.throwIfAborted();
    return null;
  }
}
