import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { formatInZone, zoneTransitions } from '../../domain/recurrence/index.js';
import type { Run } from '../../domain/run.js';
import type { SimulatedTask, Simulation, SimulationOptions } from '../../server/simulate/simulation.js';
import { amountOf, type Spend } from '../../domain/budget.js';
import { counted } from '../../domain/counted.js';
import { formatDuration } from '../../domain/duration.js';
import type { Output } from '../output.js';
import { visible } from '../visible.js';
import { personalTime } from './personal-time.js';
import { showCosts } from './show-costs.js';
import { type SimulationCosts, simulationCosts } from './simulation-costs.js';
import { unheardTopics, type UnplayedBudgets } from './simulation-gaps.js';
import { showHeldMessages } from './simulation-messages.js';

/** What `pao simulate --json` prints; times are RFC 3339 UTC. */
export interface SimulationDocument {
  from: string;
  to: string;
  took_ms: number;
  runs: {
    task: string;
    scheduled_for: string;
    /** On the clock of the task's zone. */
    local: string;
    status: string;
    reason: string | null;
    started_at: string | null;
    finished_at: string | null;
    /** How long it waited for others, milliseconds. */
    waited_ms: number;
    /** How many events triggered it together; null where one does, or none. */
    events: number | null;
    /** What it used of models; money in US dollars, null when a price is not known. */
    tokens: number;
    usd: number | null;
    error: string | null;
  }[];
  /** What was written to people: when it would be sent. */
  messages: {
    task: string;
    step: string | null;
    channel: string;
    written_at: string;
    /** The same on the clock of the task's zone. */
    written_local: string;
    /** `pending`: at once; `deferred`: put off by a quiet time; `suppressed`: not at all. */
    status: string;
    reason: string | null;
    sent_at: string | null;
    /** The same on the clock of the task's zone. */
    sent_local: string | null;
  }[];
  tasks: {
    name: string;
    words: string;
    timezone: string;
    due: number;
    ran: number;
    skipped: number;
    failed: number;
    waited: number;
    longest_wait_ms: number;
    assumed_duration_ms: number;
  }[];
  clock_changes: { timezone: string; at: string; before: string; after: string }[];
  /** What the changes of the clock do to a task. */
  effects: { task: string; code: string; message: string; at: string }[];
  costs: SimulationCosts;
  agents: { name: string; budget: unknown; quiet_hours: unknown; vacation: unknown }[];
  /** Windows of events (debounce, batch, absent) that are open at the end. */
  open_windows: {
    task: string;
    key: string;
    events: number;
    opened_at: string;
    closes_at: string;
    closes_local: string;
  }[];
  /** Pipelines that were not run, and the tools nobody said an answer for. */
  assumed: { name: string; tools: string[] }[];
  left_out: { name: string; why: string }[];
  /** Budgets that could not be played, and why; null where all were. */
  budgets_not_played: UnplayedBudgets | null;
  /** Topics of events that no task is triggered by or waits for. */
  unheard_events: string[];
  truncated: boolean;
}

const EFFECTS = new Set(['gap_ahead', 'fold_ahead', 'elapsed_time']);
const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/** Sums a simulation up. */
export function simulationDocument(
  simulation: Simulation,
  {
    tasks,
    agents = [],
    events = [],
    timezone = 'UTC',
    unplayed = null,
  }: Pick<SimulationOptions, 'tasks' | 'agents' | 'events' | 'timezone'> & {
    unplayed?: UnplayedBudgets | null;
  },
  window: { from: number; to: number; tookMs: number; zone?: string },
): SimulationDocument {
  const { runs, messages, spent, together, openWindows, assumed, leftOut, truncated } = simulation;
  const { from, to, tookMs } = window;
  const out = new Set(leftOut.map(({ name }) => name));
  const played = tasks.filter(({ spec }) => !out.has(spec.name));
  const zones = new Map(played.map(({ spec }) => [spec.name, spec.schedule?.timezone ?? 'UTC']));
  // Days are those of the tasks where they agree on them.
  const [dayZone, ...others] = new Set(zones.values());
  const days = dayZone !== undefined && others.length === 0 ? dayZone : (window.zone ?? timezone);
  const byTask = new Map<string, Run[]>(played.map(({ spec }) => [spec.name, []]));
  for (const run of runs) byTask.get(run.taskName)?.push(run);
  const nameOf = new Map(runs.map(({ id, taskName }) => [id, taskName]));
  return {
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    took_ms: tookMs,
    runs: runs.map((run) => ({
      task: run.taskName,
      scheduled_for: new Date(run.scheduledFor).toISOString(),
      local: formatInZone(zones.get(run.taskName) ?? 'UTC', run.scheduledFor, 'iso'),
      status: run.status,
      reason: run.reason,
      started_at: iso(run.startedAt),
      finished_at: iso(run.finishedAt),
      waited_ms: waitOf(run),
      events: together.get(run.id) ?? null,
      tokens: spent.get(run.id)?.tokens ?? 0,
      usd: usdOf(spent.get(run.id)),
      error: run.error?.message ?? null,
    })),
    messages: messages.map((one) => {
      const task = nameOf.get(one.runId ?? '') ?? '';
      return {
        task,
        step: one.stepId,
        channel: one.channel,
        written_at: new Date(one.createdAt).toISOString(),
        written_local: formatInZone(zones.get(task) ?? 'UTC', one.createdAt, 'iso'),
        status: one.status,
        reason: one.reason,
        sent_at: iso(one.dueAt),
        sent_local: one.dueAt === null ? null : formatInZone(zones.get(task) ?? 'UTC', one.dueAt, 'iso'),
      };
    }),
    tasks: played.map((task) => summaryOf(task, byTask.get(task.spec.name) ?? [])),
    clock_changes: [...new Set(zones.values())].flatMap((timezone) =>
      zoneTransitions(timezone, from, to).map(({ at }) => ({
        timezone,
        at: new Date(at * 1000).toISOString(),
        before: formatInZone(timezone, at * 1000 - 1000, 'iso').slice(19),
        after: formatInZone(timezone, at * 1000, 'iso').slice(19),
      })),
    ),
    effects: played.flatMap(({ spec }) =>
      isTimed(spec.schedule)
        ? recurrenceOf(spec.schedule)
            .warnings(from)
            .flatMap(({ code, message, at }) =>
              EFFECTS.has(code) && at !== undefined && Date.parse(at) < to
                ? [{ task: spec.name, code, message, at }]
                : [],
            )
        : [],
    ),
    costs: simulationCosts(simulation, tasks, { to, timezone: days, zones }),
    agents: agents.map(({ name, budget, quiet }) => ({
      name,
      budget,
      quiet_hours: quiet.quiet_hours ?? null,
      vacation: quiet.vacation ?? null,
    })),
    open_windows: openWindows.map(({ name, key, count, openedAt, closesAt }) => ({
      task: name,
      key,
      events: count,
      opened_at: new Date(openedAt).toISOString(),
      closes_at: new Date(closesAt).toISOString(),
      closes_local: formatInZone(zones.get(name) ?? 'UTC', closesAt, 'iso'),
    })),
    assumed,
    left_out: leftOut,
    budgets_not_played: unplayed,
    unheard_events: unheardTopics(
      tasks.map(({ spec }) => spec),
      events,
    ),
    truncated,
  };
}

const usdOf = (spend: Spend | undefined): number | null =>
  spend === undefined ? 0 : spend.unpriced > 0 ? null : amountOf(spend, 'usd');

/** How long a run waited after it could have started; what it was spread by (jitter) is no waiting. */
const waitOf = ({ startedAt, runAt }: Run): number =>
  startedAt === null ? 0 : Math.max(0, startedAt - runAt);

function summaryOf(
  { spec, durationMs }: SimulatedTask,
  runs: readonly Run[],
): SimulationDocument['tasks'][0] {
  const count = (...statuses: string[]) => runs.filter(({ status }) => statuses.includes(status)).length;
  const waits = runs.map(waitOf).filter((wait) => wait > 0);
  const { schedule } = spec;
  return {
    name: spec.name,
    words: isTimed(schedule)
      ? recurrenceOf(schedule).describe()
      : schedule?.kind === 'event'
        ? `on events ${schedule.topic}`
        : 'looks at a condition',
    timezone: schedule?.timezone ?? 'UTC',
    due: runs.length,
    ran: count('succeeded', 'partial'),
    skipped: count('skipped', 'missed'),
    failed: count('failed', 'dead', 'canceled'),
    waited: waits.length,
    longest_wait_ms: Math.max(0, ...waits),
    assumed_duration_ms: durationMs,
  };
}

/** The simulation for people: what fires, then what the clock does, then each task in a line. */
export function showSimulation(document: SimulationDocument, out: Output, limit: number): void {
  const { runs, tasks, clock_changes: changes, effects, assumed, left_out: leftOut } = document;
  out.table(
    runs.slice(0, limit),
    [
      { header: 'LOCAL TIME', value: ({ local }) => personalTime(local) },
      { header: 'TASK', value: ({ task }) => task },
      { header: 'WHAT', value: outcomeText },
    ],
    'Nothing comes due in this time.',
  );
  // Part of the answer: a pipe must not get a table that ends early without a word.
  if (runs.length > limit) out.line(`${runs.length - limit} more: --limit ${runs.length}, or --json`);
  showHeldMessages(document.messages, out, limit);
  if (changes.length > 0) out.line();
  for (const { timezone, at, before, after } of changes)
    out.line(`The clock changes in ${timezone} from ${before} to ${after} at ${at}.`);
  for (const { task, message } of effects) out.line(`  ${task}: ${visible(message)}`);
  if (tasks.length > 0) out.line();
  out.table(tasks, [
    { header: 'TASK', value: ({ name }) => name },
    { header: 'DUE', value: ({ due }) => due, align: 'right' },
    { header: 'RAN', value: ({ ran }) => ran, align: 'right' },
    { header: 'SKIPPED', value: ({ skipped }) => skipped, align: 'right' },
    { header: 'FAILED', value: ({ failed }) => failed, align: 'right' },
    { header: 'WAITED', value: ({ waited }) => waited, align: 'right' },
    { header: 'A RUN TAKES', value: ({ assumed_duration_ms: ms }) => formatDuration(ms), align: 'right' },
    { header: 'SCHEDULE', value: ({ words }) => words, shrink: true },
  ]);
  if (document.open_windows.length > 0) out.line();
  for (const { task, key, events, closes_local: at } of document.open_windows)
    out.line(
      `${task}: a window${key === '' ? '' : ` for ${visible(key)}`} with ${counted(events, 'event')} is open at the end, until ${personalTime(at)}.`,
    );
  showCosts(document.costs, out, limit);
  const { budgets_not_played: unplayed, unheard_events: unheard } = document;
  if (unplayed !== null) {
    out.line();
    out.line(`${unplayed.words} ${unplayed.hint}.`);
  }
  for (const topic of unheard) out.note(`No task listens to ${topic}.`);
  for (const { name, why } of leftOut) out.note(`${name} is left out: ${visible(why)}.`);
  for (const { name, tools } of assumed)
    out.note(`${name}: its runs are taken to succeed; --mock says what ${tools.join(', ')} would answer.`);
  if (document.truncated) out.warn('There is more than a simulation takes: choose a shorter time.');
  out.note(`${counted(runs.length, 'occurrence')} in ${formatDuration(document.took_ms)}.`);
}

function outcomeText({
  status,
  reason,
  started_at: start,
  finished_at: end,
  waited_ms: waited,
  events,
  error,
}: SimulationDocument['runs'][0]): string {
  if (status === 'skipped' || status === 'missed') return `${status} (${reason ?? ''})`;
  const took = start === null || end === null ? 0 : Date.parse(end) - Date.parse(start);
  const parts = [status === 'succeeded' ? 'runs' : status];
  if (events !== null) parts.push(`on ${counted(events, 'event')}`);
  if (took > 0) parts.push(`for ${formatDuration(took)}`);
  if (waited > 0) parts.push(`after waiting ${formatDuration(waited)}`);
  if (error !== null) parts.push(`(${visible(error)})`);
  return parts.join(' ');
}
