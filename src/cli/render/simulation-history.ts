import type { AgentObject, SpentTodayObject, TaskObject } from '../../client/api-objects.js';
import { PaoClient, pages } from '../../client/pao-client.js';
import { NANO_USD } from '../../domain/budget.js';
import { EXIT, PaoError } from '../../domain/errors.js';
import { readSimulatedAgent } from '../../server/simulate/read-simulated-inputs.js';
import { type Measured, simulatedRequests } from '../../server/simulate/estimated-requests.js';
import type { SimulatedAgent, SpentDay } from '../../server/simulate/simulation.js';
import type { Connection } from '../connection.js';
import type { TaskToSimulate } from './simulation-input.js';
import { specOf } from './task-spec.js';

/** Runs that are looked at for how long one takes, and of these, for what they paid. */
const RUNS = 20;
const PAID_RUNS = 12;

/** What a running system knows: its active tasks with what their history tells, and whose they are. */
export interface SystemToSimulate {
  tasks: TaskToSimulate[];
  agents: SimulatedAgent[];
  /** Ids of agents whose limits the token may not read. */
  unread: string[];
}

/** The active tasks of the running system, with their agents. */
export async function tasksOfSystem(connection: Connection, signal: AbortSignal): Promise<SystemToSimulate> {
  const client = new PaoClient(connection);
  const tasks: TaskToSimulate[] = [];
  const agents = new Map<string, SimulatedAgent | null>();
  for await (const listed of pages((cursor) =>
    client.listTasks({ state: 'active', limit: 100, cursor, signal }),
  )) {
    const task = await client.getTask(listed.id, { signal });
    const { agent_id: agentId, snoozed_until: snoozed, spent_today: spent } = task;
    if (!agents.has(agentId)) agents.set(agentId, await agentOf(agentId, client, signal));
    tasks.push({
      id: task.id,
      agent: agents.get(agentId)?.name,
      input: specOf(task),
      ...(snoozed === null ? {} : { snoozedUntil: Date.parse(snoozed) }),
      ...(spent === undefined ? {} : { spentToday: spentDay(spent) }),
      ...(await historyOf(task, client, signal)),
      located: (error) => error,
    });
  }
  return {
    tasks,
    agents: [...agents.values()].filter((one) => one !== null),
    unread: [...agents].flatMap(([id, one]) => (one === null ? [id] : [])),
  };
}

/** null when it may not be read. */
async function agentOf(id: string, client: PaoClient, signal: AbortSignal): Promise<SimulatedAgent | null> {
  let agent: AgentObject;
  try {
    agent = await client.getAgent(id, { signal });
  } catch (error) {
    if (error instanceof PaoError && (error.exitCode === EXIT.notFound || error.exitCode === EXIT.forbidden))
      return null;
    throw error;
  }
  const { name, budget, quiet_hours, vacation, spent_today: spent } = agent;
  return {
    ...readSimulatedAgent({ name, budget: budget ?? undefined, quiet_hours, vacation }),
    ...(spent === undefined ? {} : { spentToday: spentDay(spent) }),
  };
}

const spentDay = ({
  day,
  tokens,
  usd,
  calls,
  runs,
  calls_of_unknown_price: unpriced,
}: SpentTodayObject): SpentDay => ({
  day,
  spend: { tokens, nanoUsd: Math.round(usd * NANO_USD), calls, runs, unpriced },
});

async function historyOf(
  { id, estimate }: TaskObject,
  client: PaoClient,
  signal: AbortSignal,
): Promise<Pick<TaskToSimulate, 'historyMs' | 'outputs' | 'requests'>> {
  const { items } = await client.listRuns({ taskId: id, status: 'succeeded,partial', limit: RUNS, signal });
  const asked = estimate?.requests ?? [];
  const detailed = [];
  for (const run of items.slice(0, asked.length === 0 ? 1 : PAID_RUNS))
    detailed.push(await client.getRun(run.id, { signal }));
  const durations = items.flatMap(({ duration_ms: ms }) => ms ?? []);
  const outputs: Record<string, unknown> = {};
  // An item of a foreach is `step[0]`: any of them stands for the others.
  for (const { id: step, status, output } of detailed[0]?.steps ?? [])
    if (status === 'succeeded') outputs[stepOf(step)] ??= output;
  return {
    outputs,
    requests: simulatedRequests(asked, measuredIn(detailed.map(({ spent }) => spent?.requests ?? []))),
    ...(durations.length === 0 ? {} : { historyMs: median(durations) }),
  };
}

type PaidRequests = NonNullable<Awaited<ReturnType<PaoClient['getRun']>>['spent']>['requests'];

/** The medians of what each step used in the runs in which it asked: of a request, and of its items. */
function measuredIn(runs: readonly PaidRequests[]): Measured {
  const byStep = new Map<string, { items: number; input: number; output: number }[]>();
  for (const requests of runs) {
    const inRun = new Map<string, { items: Set<string>; input: number; output: number }>();
    for (const { step, input_tokens: input, output_tokens: output } of requests) {
      if (step === null || input === null || output === null) continue;
      const sum = inRun.get(stepOf(step)) ?? { items: new Set(), input: 0, output: 0 };
      inRun.set(stepOf(step), sum);
      sum.items.add(step);
      sum.input += input;
      sum.output += output;
    }
    for (const [step, { items, input, output }] of inRun) {
      const seen = byStep.get(step) ?? [];
      byStep.set(step, seen);
      // Retries and repairs of an item are part of what it costs.
      seen.push({ items: items.size, input: input / items.size, output: output / items.size });
    }
  }
  return new Map(
    [...byStep].map(([step, seen]) => [
      step,
      {
        runs: seen.length,
        items: median(seen.map(({ items }) => items)),
        inputTokens: Math.round(median(seen.map(({ input }) => input))),
        outputTokens: Math.round(median(seen.map(({ output }) => output))),
      },
    ]),
  );
}

const stepOf = (id: string): string => id.replace(/\[\d+\]$/, '');

/** Of a list that is not empty. */
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] as number;
