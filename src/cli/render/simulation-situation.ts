import { resolve } from 'node:path';
import { loadConfig } from '../../server/config.js';
import type {
  SimulatedAgent,
  SimulatedEvent,
  SimulatedRequest,
  SimulatedTask,
  SimulationOptions,
} from '../../server/simulate/simulation.js';
import { invalidInput } from '../../domain/errors.js';
import type { TaskSpec } from '../../domain/task.js';
import { loadCatalog } from '../catalog-file.js';
import type { CliProcess } from '../cli-config.js';
import type { Connection } from '../connection.js';
import { momentOf } from './moment.js';
import {
  readDurations,
  readMocks,
  readOneDocument,
  type TaskToSimulate,
  tasksOfFiles,
} from './simulation-input.js';
import { unplayedBudgets, type UnplayedBudgets } from './simulation-gaps.js';

/** What `pao simulate` was given, as its flags have it. */
export interface SimulationFlags {
  from?: string | undefined;
  file?: string[] | undefined;
  duration?: string[] | undefined;
  mock?: string | undefined;
  agent?: string | undefined;
  tools?: string | undefined;
  prices?: string | undefined;
  events?: string | undefined;
  event?: string[] | undefined;
}

/** All that a simulation depends on, and what people should know of it. */
export interface Situation extends Pick<SimulationOptions, 'agents' | 'events' | 'budget' | 'timezone'> {
  tasks: SimulatedTask[];
  /** Budgets that can not be played; null when all can. */
  unplayed: UnplayedBudgets | null;
  notes: string[];
}

export interface Surroundings {
  process: CliProcess;
  /** The data directory. */
  home: string;
  connection: () => Connection;
  signal: AbortSignal;
}

/** Reads tasks, agents, events and budgets from files, or from the running system. @param from epoch milliseconds. */
export async function situationOf(
  flags: SimulationFlags,
  from: number,
  { process, home, connection, signal }: Surroundings,
): Promise<Situation> {
  const durations = readDurations(flags.duration ?? []);
  const mocks = await readMocks(flags.mock, process);
  const { config } = await loadConfig({ env: process.env, cwd: process.cwd });
  const events = await eventsOf(flags, from, { process, zone: config.timezone });
  const { readSimulatedTask } = await import('../../server/simulate/read-simulated-task.js');
  const common = { events, budget: config.budget, timezone: config.timezone ?? 'UTC' };
  const toTask = (found: TaskToSimulate, requests: SimulatedRequest[], spec: TaskSpec): SimulatedTask => ({
    id: found.id,
    agent: found.agent,
    spec,
    snoozedUntil: found.snoozedUntil,
    durationMs: durations(spec.name) ?? found.historyMs ?? 0,
    outputs: { ...found.outputs, ...mocks },
    requests,
    // What was used of today says nothing about another day.
    spentToday: flags.from === undefined ? found.spentToday : undefined,
  });
  const read = (found: TaskToSimulate) => {
    try {
      return readSimulatedTask(found.input, from);
    } catch (error) {
      throw found.located(error);
    }
  };
  if (flags.file === undefined) {
    const { tasksOfSystem } = await import('./simulation-history.js');
    const { tasks, agents, unread } = await tasksOfSystem(connection(), signal);
    return {
      ...common,
      tasks: distinct(tasks.map((found) => toTask(found, found.requests ?? [], read(found)))),
      agents: flags.from === undefined ? agents : agents.map((one) => ({ ...one, spentToday: undefined })),
      unplayed: null,
      notes: unread.map((id) => `Budget and quiet hours of agent ${id} may not be read with this token.`),
    };
  }
  const { offlineEstimates } = await import('../../server/simulate/estimated-requests.js');
  const catalog = flags.tools === undefined ? null : (await loadCatalog(flags.tools, process)).document;
  const prices =
    flags.prices === undefined
      ? resolve(home, config.prices ?? 'prices.yaml')
      : resolve(process.cwd, flags.prices);
  const estimates = offlineEstimates(catalog, prices);
  const problem = await estimates.problem();
  const agent = await agentOf(flags.agent, process);
  const tasks: SimulatedTask[] = [];
  for (const found of await tasksOfFiles(flags.file, process)) {
    const spec = read(found);
    tasks.push(toTask({ ...found, agent: agent?.name }, await estimates.requestsOf(spec, from), spec));
  }
  return {
    ...common,
    tasks,
    agents: agent === null ? [] : [agent],
    unplayed: unplayedBudgets(
      tasks.map(({ spec }) => ({ ...spec, unknown: estimates.unknownTools(spec) })),
      { agent: agent?.budget ?? null, all: config.budget?.per_day },
    ),
    notes: problem === null ? [] : [problem],
  };
}

/** Agents may have tasks of the same name: these are told apart by their agent. */
function distinct(tasks: readonly SimulatedTask[]): SimulatedTask[] {
  const counts = new Map<string, number>();
  for (const { spec } of tasks) counts.set(spec.name, (counts.get(spec.name) ?? 0) + 1);
  return tasks.map((task) => {
    const { id, agent, spec } = task;
    if (counts.get(spec.name) === 1) return task;
    return { ...task, spec: { ...spec, name: `${agent ?? id}/${spec.name}` } };
  });
}

async function agentOf(path: string | undefined, process: CliProcess): Promise<SimulatedAgent | null> {
  if (path === undefined) return null;
  const { readSimulatedAgent } = await import('../../server/simulate/read-simulated-inputs.js');
  return readSimulatedAgent(await readOneDocument(path, process));
}

/** `--events FILE`, and `--event TOPIC@TIME` for single ones. */
async function eventsOf(
  { events: path, event: single = [] }: SimulationFlags,
  from: number,
  { process, zone }: { process: CliProcess; zone: string | undefined },
): Promise<SimulatedEvent[]> {
  const { readSimulatedEvents } = await import('../../server/simulate/read-simulated-inputs.js');
  const written = single.map((text) => {
    const at = text.indexOf('@');
    if (at < 1)
      throw invalidInput(`--event ${text.slice(0, 60)} has no time.`, [], ['--event mail.received@2h']);
    return { topic: text.slice(0, at), at: text.slice(at + 1) };
  });
  const moment = (at: string) => momentOf(at, from, zone);
  return [
    ...(path === undefined ? [] : readSimulatedEvents(await readOneDocument(path, process), moment)),
    ...readSimulatedEvents(written, moment),
  ];
}
