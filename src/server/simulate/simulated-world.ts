import { newId } from '../../domain/ids.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { isSinceLast } from '../../domain/schedule.js';
import type { Task, TaskSpec } from '../../domain/task.js';
import { writeAgentQuiet } from '../deliver/agent-quiet.js';
import type { Store } from '../store/store.js';
import { CHECK_STEP_ID } from '../worker/plan.js';
import { assumedPipeline } from './assumed-pipeline.js';
import { unanswered } from './simulated-tools.js';
import type { SimulatedAgent, SimulatedTask, Simulation, SimulationOptions, SpentDay } from './simulation.js';

/** What is played, by the ids of its store. */
export interface World {
  tasks: Map<string, SimulatedTask>;
  /** Ids of tasks whose answers are not known. */
  assumed: Set<string>;
  /** Names of tasks and agents. */
  names: Map<string, string>;
  notes: Pick<Simulation, 'assumed' | 'leftOut'>;
}

/** Whose tasks they are when nobody says; no agent can have this name. */
const NOBODY: SimulatedAgent = { name: '(nobody)', budget: null, quiet: {} };

/** Puts agents and tasks into an empty store, as they would be handed in at `from`. */
export async function populate(
  store: Store,
  { tasks, agents = [], from, events = [] }: SimulationOptions,
): Promise<World> {
  const world: World = {
    tasks: new Map(),
    assumed: new Set(),
    names: new Map(),
    notes: { assumed: [], leftOut: [] },
  };
  const agentIds = new Map<string, string>();
  for (const one of [NOBODY, ...agents]) {
    const id = await addAgent(store, one, from);
    agentIds.set(one.name, id);
    await spendBefore(store, `agent:${id}`, one.spentToday, from);
    world.names.set(id, one.name);
  }
  const nobody = agentIds.get(NOBODY.name) as string;
  for (const one of tasks) {
    const { spec, outputs, requests = [] } = one;
    const tools = unanswered(spec, outputs);
    const why = whyLeftOut(one, tools, events.length > 0);
    if (why !== null) {
      world.notes.leftOut.push({ name: spec.name, why });
      continue;
    }
    const id = one.id ?? newId('tsk', from);
    world.tasks.set(id, one);
    world.names.set(id, spec.name);
    if (tools.length > 0) {
      world.assumed.add(id);
      world.notes.assumed.push({ name: spec.name, tools });
    }
    await spendBefore(store, `task:${id}`, one.spentToday, from);
    const played = tools.length > 0 ? assumedPipeline(spec, requests) : spec;
    await store.createTask(
      taskOf(id, agentIds.get(one.agent ?? '') ?? nobody, played, one.snoozedUntil ?? null, from),
    );
  }
  return world;
}

/** Puts what was used of the day before into the account of that day. */
async function spendBefore(
  store: Store,
  owner: string,
  spent: SpentDay | undefined,
  at: number,
): Promise<void> {
  if (spent === undefined) return;
  const nobody = { runId: null, taskId: null, agentId: null, stepId: null, tool: null, model: null };
  const account = { key: `${owner}:${spent.day}`, limits: {} };
  await store.reserveBudget({ ...nobody, id: newId('bud', at), at, amount: spent.spend }, [account], {
    settled: true,
  });
}

async function addAgent(store: Store, { name, budget, quiet }: SimulatedAgent, at: number): Promise<string> {
  const id = newId('agt', at);
  const agent = { id, name, title: null, scopes: ['admin'], budget, maxTasks: null };
  await store.createAgent({ ...agent, disabledAt: null, createdAt: at, updatedAt: at }, null);
  await writeAgentQuiet(store, id, quiet);
  return id;
}

function taskOf(
  id: string,
  agentId: string,
  spec: TaskSpec,
  snoozedUntil: number | null,
  from: number,
): Task {
  const nextDueAt = firstDue(spec, from);
  return {
    id,
    agentId,
    name: spec.name,
    version: 1,
    state: isTimed(spec.schedule) && nextDueAt === null ? 'done' : 'active',
    stateReason: null,
    spec,
    scopes: ['admin'],
    nextDueAt,
    snoozedUntil,
    lastRunAt: null,
    memory: null,
    createdBy: 'simulation',
    createdInRun: null,
    spawnDepth: 0,
    createdAt: from,
    updatedAt: from,
  };
}

/** An occurrence at the first instant counts. */
function firstDue({ schedule }: TaskSpec, from: number): number | null {
  if (isTimed(schedule)) return recurrenceOf(schedule).next(from - 1);
  const opens = schedule?.kind === 'event' && isSinceLast(schedule) && schedule.key === undefined;
  return schedule?.kind === 'condition' || opens ? from : null;
}

function whyLeftOut(
  { spec: { schedule }, outputs }: SimulatedTask,
  tools: readonly string[],
  hasEvents: boolean,
): string | null {
  if (schedule === undefined) return 'it runs only when asked to';
  if (schedule.kind === 'event' && !hasEvents) return `it runs on events (${schedule.topic})`;
  if (schedule.kind !== 'condition' || Object.hasOwn(outputs, CHECK_STEP_ID)) return null;
  const { uses } = schedule.check;
  return tools.includes(uses) ? `what it observes is not known: ${uses}` : null;
}
