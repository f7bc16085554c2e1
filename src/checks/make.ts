import type {
  AgentObject,
  ChangedTaskObject,
  RunObject,
  TaskObject,
  ToolObject,
} from '../client/api-objects.js';
import type { PaoClient } from '../client/pao-client.js';
import { ApiError } from '../client/problem-error.js';
import type { RunStatus } from '../domain/run.js';
import type { TaskInput } from '../domain/task.js';
import type { ToolInput } from '../domain/tool.js';
import type { CheckTools } from './check.js';
import { CheckFailure } from './check.js';
import { CHECK_TAG, type LiveSystem } from './live-system.js';
import { until } from './until.js';

/** An agent that a check made, with a client that is signed in as it. */
export interface MadeAgent {
  agent: AgentObject;
  /** Its token's secret; never to be reported. */
  token: string;
  tokenId: string;
  client: PaoClient;
}

/** Makes an agent that is removed at the end of the suite. */
export async function makeAgent(
  live: LiveSystem,
  tools: Pick<CheckTools, 'cleanUp' | 'signal'>,
  scopes: string[],
): Promise<MadeAgent> {
  const { token, ...agent } = await live.client.createAgent(
    { name: live.name('agent'), title: 'Made by a check', scopes, expires_in_seconds: 3600 },
    tools,
  );
  remove(live, tools, `the agent ${agent.name}`, () => live.client.deleteAgent(agent.id));
  return { agent, token: token.secret, tokenId: token.id, client: live.clientWith(token.secret) };
}

/**
 * Makes a task that is removed at the end of the suite, with what runs of it.
 * @param input without a name it gets one; it is tagged as a check's.
 */
export async function makeTask(
  live: LiveSystem,
  tools: Pick<CheckTools, 'cleanUp' | 'signal'>,
  input: Omit<TaskInput, 'name'> & { name?: string },
  client: PaoClient = live.client,
): Promise<ChangedTaskObject> {
  const task = await client.createTask({ name: live.name('task'), tags: [CHECK_TAG], ...input }, tools);
  remove(live, tools, `the task ${task.name}`, () => live.client.deleteTask(task.id));
  return task;
}

/** Makes a tool that is removed at the end of the suite; its address is one of a check. */
export async function makeTool(
  live: LiveSystem,
  tools: Pick<CheckTools, 'cleanUp' | 'signal'>,
  input: Omit<ToolInput, 'address'>,
  client: PaoClient = live.client,
): Promise<ToolObject> {
  const address = `${live.name('tool')}.call`;
  remove(live, tools, `the tool ${address}`, () => live.client.deleteTool(address));
  return client.request({
    method: 'POST',
    path: '/v1/tools',
    body: { ...input, address },
    signal: tools.signal,
  });
}

/** A task of one or more steps that runs only when asked to. */
export const steps = (...pipeline: TaskInput['pipeline']): Pick<TaskInput, 'pipeline' | 'retry'> => ({
  retry: { max: 0 },
  pipeline,
});

/** Starts a task and waits for its end. @throws CheckFailure when it does not come. */
export async function runToEnd(
  live: LiveSystem,
  tools: CheckTools,
  task: Pick<TaskObject, 'id'>,
  input: { params?: Record<string, unknown>; force?: boolean } = {},
  client: PaoClient = live.client,
): Promise<RunObject> {
  const run = await client.runTask(task.id, input, tools);
  return endOf(live, tools, run.id, client);
}

/** Waits for the end of a run, and until its messages are sent. @throws CheckFailure when it does not come. */
export async function endOf(
  live: LiveSystem,
  tools: CheckTools,
  runId: string,
  client: PaoClient = live.client,
): Promise<RunObject> {
  try {
    const run = await client.waitForRun(runId, { signal: tools.signal, timeoutMs: live.patienceMs });
    return await client.waitForMessages(run, { signal: tools.signal, timeoutMs: live.patienceMs });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'PAO_WAIT_TIMEOUT') throw error;
    const run = await client.getRun(runId, tools);
    throw new CheckFailure(`The run is still ${run.status}; it was to end.`, seeRun(live, tools, run), {
      run,
    });
  }
}

/** Waits until a task has so many runs, whatever they came to. @returns them, oldest occurrence first. */
export function runsOf(
  live: LiveSystem,
  tools: CheckTools,
  task: Pick<TaskObject, 'id' | 'name'>,
  count: number,
): Promise<RunObject[]> {
  let last: RunObject[] = [];
  return until(
    `${count} ${count === 1 ? 'run' : 'runs'} of the task`,
    async () => {
      last = (await live.client.listRuns({ taskId: task.id, limit: 100, signal: tools.signal })).items;
      const sorted = [...last].sort((a, b) => Date.parse(a.scheduled_for) - Date.parse(b.scheduled_for));
      return last.length >= count ? sorted : null;
    },
    {
      signal: tools.signal,
      timeoutMs: live.patienceMs,
      hint: see(live, tools, `pao task explain ${task.name}`),
      seen: () => ({ runs: last.map(({ status, reason, trigger }) => ({ status, reason, trigger })) }),
    },
  );
}

/** @throws CheckFailure with the run, unless it ended so. */
export function ensureRun(
  live: LiveSystem,
  tools: CheckTools,
  run: RunObject,
  status: RunStatus,
  reason: string | null = null,
): void {
  if (run.status === status && run.reason === reason) return;
  const word = (state: string, why: string | null) => (why === null ? state : `${state} (${why})`);
  throw new CheckFailure(
    `The run is ${word(run.status, run.reason)}, expected ${word(status, reason)}${run.error ? `: ${run.error.message}` : ''}.`,
    seeRun(live, tools, run),
    { run },
  );
}

/** A command that looks at the system: it is of use when the system is there after the suite. */
export const see = (live: LiveSystem, tools: Pick<CheckTools, 'rerun'>, command: string): string =>
  live.own === null ? command : tools.rerun;

/** How to look at a run. */
export const seeRun = (live: LiveSystem, tools: Pick<CheckTools, 'rerun'>, run: { id: string }): string =>
  see(live, tools, `pao run show ${run.id}`);

/** Removes something at the end; a system of the suite's own goes away as a whole. */
function remove(
  live: LiveSystem,
  tools: Pick<CheckTools, 'cleanUp'>,
  what: string,
  work: () => Promise<void>,
): void {
  if (live.own !== null) return;
  tools.cleanUp(what, async () => {
    try {
      await work();
    } catch (error) {
      // The check may have removed it itself.
      if (!(error instanceof ApiError) || error.httpStatus !== 404) throw error;
    }
  });
}
