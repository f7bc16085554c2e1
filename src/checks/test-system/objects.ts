import { pages } from '../../client/pao-client.js';
import type { Check } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import type { LiveSystem } from '../live-system.js';
import { makeAgent, makeTask, makeTool, see, steps } from '../make.js';
import { probe } from '../probe.js';

const group = 'Objects';
const LISTED = 5;

/** Agents, tasks and tools are made, read, changed, listed and removed. */
export const objectChecks: Check<LiveSystem>[] = [
  {
    id: 'agents.crud',
    title: 'Agents are made, shown, changed and removed',
    group,
    requires: ['server', 'admin'],
    async run(live, tools) {
      const hint = see(live, tools, 'pao agent list');
      const { agent, token, client } = await makeAgent(live, tools, ['tasks:read']);
      const path = `/v1/agents/${agent.id}`;
      const shown = await live.client.getAgent(agent.id, tools);
      ensureEqual('The name of the agent', shown.name, agent.name, hint);
      ensure(!JSON.stringify(shown).includes(token), "The agent's token can be read again.", hint);
      await live.client.request({ method: 'PATCH', path, body: { title: 'Changed by a check' }, ...tools });
      const { title } = await live.client.getAgent(agent.id, tools);
      ensureEqual('The title after the change', title, 'Changed by a check', hint);
      await live.client.deleteAgent(agent.id, tools);
      const { status } = await probe(`${live.url}/v1/agents/me`, { ...tools, token });
      ensureEqual("The status of a removed agent's request", status, 401, hint);
      await client.listTasks({ signal: tools.signal }).then(
        () => ensure(false, 'A removed agent may still list tasks.', hint),
        () => {},
      );
      return { agent: agent.name };
    },
  },
  {
    id: 'tasks.crud',
    title: 'Tasks are made, shown, changed and removed',
    group,
    requires: ['server', 'admin'],
    async run(live, tools) {
      const task = await makeTask(live, tools, {
        ...steps({ id: 'echo', uses: 'debug.echo', with: { text: 'hello' } }),
        schedule: { kind: 'cron', expr: '30 8 * * *', timezone: 'Europe/Chisinau' },
      });
      const hint = see(live, tools, `pao task show ${task.name}`);
      const shown = await live.client.getTask(task.id, tools);
      ensure(shown.next_due_at !== null, 'The task has no due time.', hint, { task: shown });
      ensureEqual('The due time', shown.next_due_at, task.next_occurrences[0]?.at ?? null, hint);
      const path = `/v1/tasks/${task.id}`;
      await live.client.request({ method: 'PATCH', path, body: { title: 'Changed by a check' }, ...tools });
      const changed = await live.client.getTask(task.id, tools);
      ensureEqual('The title after the change', changed.title, 'Changed by a check', hint);
      ensureEqual('The version after the change', changed.version, shown.version + 1, hint);
      await live.client.deleteTask(task.id, tools);
      const { state, next_due_at } = await live.client.getTask(task.id, tools);
      ensureEqual(
        'The state of a removed task',
        { state, next_due_at },
        { state: 'canceled', next_due_at: null },
        hint,
      );
      return { task: task.name, words: task.words, next_due_at: task.next_due_at };
    },
  },
  {
    id: 'tools.crud',
    title: 'Tools are added, shown, called and removed',
    group,
    requires: ['server', 'admin'],
    async run(live, tools) {
      const hint = see(live, tools, 'pao tool list');
      const tool = await makeTool(live, tools, {
        kind: 'builtin',
        side_effect: 'read',
        builtin: { name: 'debug.echo' },
      });
      const shown = await live.client.getTool(tool.address, tools);
      ensureEqual('The kind of the tool', shown.kind, 'builtin', hint);
      const { output } = await live.client.callTool(tool.address, { n: 7 }, tools);
      ensureEqual('What the tool gave', output, { n: 7 }, hint);
      await live.client.deleteTool(tool.address, tools);
      const { status } = await probe(`${live.url}/v1/tools/${tool.address}`, { ...tools, token: live.token });
      ensureEqual('The status of a removed tool', status, 404, hint);
      return { tool: tool.address };
    },
  },
  {
    id: 'lists.pages',
    title: 'Lists are read page by page, with nothing lost and nothing twice',
    group,
    requires: ['server', 'admin'],
    async run(live, tools) {
      const hint = see(live, tools, 'pao task list');
      const prefix = live.name('list');
      const made: string[] = [];
      for (let index = 0; index < LISTED; index++) {
        const { id } = await makeTask(live, tools, {
          name: `${prefix}-${index}`,
          ...steps({ id: 'echo', uses: 'debug.echo' }),
        });
        made.push(id);
      }
      const found: string[] = [];
      let pageCount = 0;
      for await (const { id } of pages((cursor) => {
        pageCount++;
        return live.client.listTasks({ search: prefix, limit: 2, cursor, signal: tools.signal });
      })) {
        found.push(id);
      }
      ensureEqual('The number of pages', pageCount, Math.ceil(LISTED / 2), hint);
      ensureEqual('What the pages hold', found.toSorted(), made.toSorted(), hint);
      return { items: found.length, pages: pageCount };
    },
  },
];
