import { ApiError } from '../../client/problem-error.js';
import type { PaoClient } from '../../client/pao-client.js';
import { type Check, CheckFailure } from '../check.js';
import { ensure, ensureEqual } from '../ensure.js';
import { ensureRun, makeAgent, makeTask, runToEnd, see, steps } from '../make.js';
import { probe } from '../probe.js';
import type { World } from './world.js';

const group = 'Agents';
const requires = ['server', 'admin'] as const;
const ECHO = steps({ id: 'echo', uses: 'debug.echo', with: { text: 'hello' } });

/** Registration, tokens, scopes, and the wall between two agents. */
export const agentChecks: Check<World>[] = [
  {
    id: 'agents.register',
    title: 'An agent registers, and its token works',
    group,
    requires,
    async run(world, tools) {
      const hint = see(world, tools, 'pao agent list');
      const { agent, client, token } = await makeAgent(world, tools, ['tasks:read', 'tasks:write']);
      ensure(/^pao_[A-Za-z0-9_-]{20,}$/.test(token), 'The token is not of the form pao_….', hint);
      const me = await client.getAgent('me', tools);
      ensureEqual('The agent of the token', [me.name, me.scopes], [agent.name, agent.scopes], hint);
      ensure(!JSON.stringify(me).includes(token), 'The token can be read again.', hint);
      return { agent: agent.name, scopes: me.scopes, tokens: me.tokens?.length };
    },
  },
  {
    id: 'auth.revoked',
    title: 'A revoked token is dead at once, the others live on',
    group,
    requires,
    async run(world, tools) {
      const hint = see(world, tools, 'pao agent list');
      const { agent, token } = await makeAgent(world, tools, ['tasks:read']);
      const second = await world.client.createToken(agent.id, { label: 'second' }, tools);
      await world.client.revokeToken(agent.id, second.id, tools);
      const status = async (bearer: string) =>
        (await probe(`${world.url}/v1/tasks`, { ...tools, token: bearer })).status;
      const seen = { revoked: await status(second.secret), other: await status(token) };
      ensureEqual('What the tokens are answered', seen, { revoked: 401, other: 200 }, hint);
      return seen;
    },
  },
  {
    id: 'auth.rotated',
    title: 'A token is rotated: the new one works, the old one does not',
    group,
    requires,
    async run(world, tools) {
      const { agent, token } = await makeAgent(world, tools, ['tasks:read']);
      const fresh = await world.client.createToken(agent.id, { revoke_others_after_seconds: 0 }, tools);
      const status = async (bearer: string) =>
        (await probe(`${world.url}/v1/tasks`, { ...tools, token: bearer })).status;
      const seen = { old: await status(token), fresh: await status(fresh.secret) };
      ensureEqual(
        'What the tokens are answered',
        seen,
        { old: 401, fresh: 200 },
        see(world, tools, 'pao agent list'),
      );
      return seen;
    },
  },
  {
    id: 'scopes.enforced',
    title: 'An agent can do what its scopes say, and no more',
    group,
    requires,
    async run(world, tools) {
      const { client } = await makeAgent(world, tools, ['tasks:read']);
      const { signal } = tools;
      const hint = see(world, tools, 'pao check security');
      await client.listTasks({ signal });
      const attempts: [scope: string, attempt: () => Promise<unknown>][] = [
        ['tasks:write', () => client.createTask({ name: world.name('task'), ...ECHO }, tools)],
        ['runs:read', () => client.listRuns({ signal })],
        ['events:write', () => client.publishEvent({ topic: 'check.none' }, tools)],
        ['tools:read', () => client.listTools({ signal })],
        ['agents:read', () => client.listAgents({ signal })],
        ['admin', () => client.createAgent({ name: world.name('agent') }, tools)],
        ['audit:read', () => client.request({ method: 'GET', path: '/v1/audit', signal })],
      ];
      for (const [scope, attempt] of attempts) await ensureForbidden(scope, attempt(), hint);
      return { refused: attempts.map(([scope]) => scope) };
    },
  },
  {
    id: 'scopes.tools',
    title: 'A task may only use tools its agent may use',
    group,
    requires,
    async run(world, tools) {
      const { client } = await makeAgent(world, tools, ['tasks:read', 'tasks:write']);
      const attempt = client.createTask({ name: world.name('task'), ...ECHO }, tools);
      await ensureForbidden('tool:debug.echo', attempt, see(world, tools, 'pao agent list'));
      return { refused: 'tool:debug.echo' };
    },
  },
  {
    id: 'scopes.withdrawn',
    title: 'A scope that is taken away is missing in the next run',
    group,
    requires,
    async run(world, tools) {
      const scopes = ['tasks:read', 'tasks:write', 'runs:read', 'runs:write'];
      const { agent, client } = await makeAgent(world, tools, [...scopes, 'tool:debug.echo']);
      const task = await makeTask(world, tools, ECHO, client);
      ensureRun(world, tools, await runToEnd(world, tools, task, {}, client), 'succeeded');
      const path = `/v1/agents/${agent.id}`;
      await world.client.request({ method: 'PATCH', path, body: { scopes }, signal: tools.signal });
      const run = await runToEnd(world, tools, task, {}, client);
      ensureRun(world, tools, run, 'failed', 'forbidden');
      ensureEqual('The output of the refused step', run.steps?.[0]?.output ?? null, null, tools.rerun, {
        run,
      });
      return { status: run.status, reason: run.reason, error: run.error?.message };
    },
  },
  {
    id: 'agents.isolated',
    title: 'Two agents see nothing of one another',
    group,
    requires,
    async run(world, tools) {
      const scopes = ['tasks:read', 'tasks:write', 'runs:read', 'runs:write', 'tool:debug.echo'];
      const [one, other] = await Promise.all([
        makeAgent(world, tools, scopes),
        makeAgent(world, tools, scopes),
      ]);
      const task = await makeTask(world, tools, ECHO, one.client);
      const run = await runToEnd(world, tools, task, {}, one.client);
      const hint = see(world, tools, 'pao check security');
      const seen = await foreignView(other.client, task.id, run.id, tools.signal);
      const expected = {
        listed_tasks: 0,
        listed_runs: 0,
        get_task: 404,
        get_run: 404,
        run: 404,
        cancel: 404,
      };
      ensureEqual('What the other agent sees', seen, expected, hint);
      // The name is free for everyone: agents do not get in one another's way.
      const same = await makeTask(world, tools, { ...ECHO, name: task.name }, other.client);
      ensure(same.id !== task.id, 'The same name leads to the other agent’s task.', hint);
      return seen;
    },
  },
];

/** What an agent gets to see of a task and a run that are not its own. */
async function foreignView(client: PaoClient, taskId: string, runId: string, signal: AbortSignal) {
  const status = (attempt: Promise<unknown>) =>
    attempt.then(
      () => 200,
      (error: unknown) => {
        if (error instanceof ApiError) return error.httpStatus;
        throw error;
      },
    );
  return {
    listed_tasks: (await client.listTasks({ signal })).items.length,
    listed_runs: (await client.listRuns({ signal })).items.length,
    get_task: await status(client.getTask(taskId, { signal })),
    get_run: await status(client.getRun(runId, { signal })),
    run: await status(client.runTask(taskId, {}, { signal })),
    cancel: await status(client.cancelTask(taskId, { signal })),
  };
}

/** @throws CheckFailure unless it is refused with 403 and the name of the scope. */
async function ensureForbidden(scope: string, attempt: Promise<unknown>, hint: string): Promise<void> {
  let seen: string;
  try {
    await attempt;
    seen = 'it was allowed';
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.httpStatus === 403 && error.message.includes(scope)) return;
    seen = `${error.httpStatus}: ${error.message}`;
  }
  throw new CheckFailure(`Expected 403 that names the scope ${scope}, but: ${seen}.`, hint, { scope, seen });
}
