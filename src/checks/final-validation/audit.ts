import { pages } from '../../client/pao-client.js';
import type { ListPage } from '../../client/api-objects.js';
import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { makeAgent, makeTask, see, steps } from '../make.js';
import type { World } from './world.js';

const group = 'Audit';
const MOST_READ = 2000;

interface AuditObject {
  sequence: number;
  at: string;
  actor: string;
  action: string;
  target: string | null;
  hash?: string;
}

/** Who did what is written down. */
export const auditChecks: Check<World>[] = [
  {
    id: 'audit.recorded',
    title: 'Every change is in the audit trail, with who did it',
    group,
    requires: ['server', 'admin'],
    async run(world, tools) {
      const { agent, client } = await makeAgent(world, tools, [
        'tasks:read',
        'tasks:write',
        'tool:debug.echo',
      ]);
      const task = await makeTask(world, tools, steps({ id: 'echo', uses: 'debug.echo' }), client);
      await client.pauseTask(task.id, 'for the audit', tools);
      await client.cancelTask(task.id, tools);
      await world.client.deleteAgent(agent.id, tools);
      const hint = see(world, tools, 'pao doctor');
      const entries = await entriesAbout(world, [agent.id, task.id], tools.signal);
      const seen = entries.map(({ action, target, actor }) => [
        action,
        target === task.id ? 'task' : 'agent',
        actor === `agent:${agent.id}` ? 'agent' : 'admin',
      ]);
      const expected = [
        ['agent.created', 'agent', 'admin'],
        ['task.created', 'task', 'agent'],
        ['task.pause', 'task', 'agent'],
        ['task.canceled', 'task', 'agent'],
        ['agent.deleted', 'agent', 'admin'],
      ];
      ensureEqual('The trail', seen, expected, hint);
      return { entries: seen.map(([action]) => action) };
    },
  },
  {
    id: 'audit.unbroken',
    title: 'The audit trail has no gap',
    group,
    requires: ['server', 'admin'],
    needs: ['audit.recorded'],
    async run(world, tools) {
      const sequences: number[] = [];
      const hashes = new Set<string>();
      for await (const entry of trail(world, tools.signal)) {
        sequences.push(entry.sequence);
        if (entry.hash) hashes.add(entry.hash);
        if (sequences.length >= MOST_READ) break;
      }
      const hint = see(world, tools, 'pao doctor');
      const gap = sequences.findIndex(
        (one, index) => index > 0 && one !== (sequences[index - 1] as number) - 1,
      );
      ensure(gap === -1, `After entry ${sequences[gap]} one is missing.`, hint, {
        around: sequences.slice(Math.max(0, gap - 2), gap + 2),
      });
      ensureEqual('The number of different hashes', hashes.size, sequences.length, hint);
      return { entries: sequences.length };
    },
  },
];

/** The newest entries about certain things, oldest first. */
async function entriesAbout(world: World, targets: string[], signal: AbortSignal): Promise<AuditObject[]> {
  const found: AuditObject[] = [];
  let read = 0;
  for await (const entry of trail(world, signal)) {
    if (entry.target !== null && targets.includes(entry.target)) found.unshift(entry);
    if (entry.action === 'agent.created' && entry.target === targets[0]) break;
    if (++read >= MOST_READ) break;
  }
  return found;
}

function trail({ client }: World, signal: AbortSignal): AsyncGenerator<AuditObject> {
  return pages((cursor) =>
    client.request<ListPage<AuditObject>>({
      method: 'GET',
      path: '/v1/audit',
      query: { limit: 200, cursor },
      signal,
    }),
  );
}
