import {
  amountOf,
  type BudgetLimits,
  type BudgetScope,
  type BudgetUnit,
  NANO_USD,
  type Spend,
} from '../../domain/budget.js';
import { counted } from '../../domain/counted.js';
import { unitWords, usedWords } from '../../domain/budget-words.js';
import { isTimed, recurrenceOf } from '../../domain/recurrence-of.js';
import { formatInZone } from '../../domain/recurrence/index.js';
import type { Run } from '../../domain/run.js';
import { perRun } from '../../server/simulate/estimated-requests.js';
import type { SimulatedTask, Simulation } from '../../server/simulate/simulation.js';

/** What models used. */
export interface Amount {
  tokens: number;
  /** US dollars; null: the price of a model in it is not known. */
  usd: number | null;
}

/** What the runs of a simulation would cost, and which budgets were in their way. */
export interface SimulationCosts extends Amount {
  /** Models that no price is known of. */
  unknown_prices: string[];
  /** Tasks that ask models. */
  tasks: (Amount & {
    task: string;
    /** Runs that paid for something. */
    runs: number;
    /** `measured`: the medians of past runs; `estimated`: the most that the pipeline can ask for, without retries. */
    basis: 'measured' | 'estimated';
    measured_runs: number;
    basis_words: string;
    per_run: Amount;
  })[];
  /** The zone that `days` go by: that of the tasks; where they have several, that of the system. */
  timezone: string;
  days: (Amount & { day: string; due: number; ran: number; skipped: number })[];
  /** Budgets of a day that came into play, each with its days. */
  budgets: {
    scope: BudgetScope;
    /** The task or the agent; null: all agents together. */
    name: string | null;
    limits: BudgetLimits;
    busiest_day: string;
    /** Of that day. */
    words: string;
    days: { day: string; tokens: number; usd: number; calls: number; runs: number }[];
  }[];
  budget_hits: {
    task: string;
    /** Null: the price of a model is not known, and there is a budget in dollars. */
    scope: BudgetScope | null;
    unit: BudgetUnit;
    limit: number | null;
    /** Runs it was in the way of; `skipped` of them did nothing because of it. */
    runs: number;
    skipped: number;
    first_at: string;
    /** On the clock of the task's zone. */
    first_local: string;
    words: string;
  }[];
  /** Tasks that a budget paused. */
  paused: {
    task: string;
    at: string;
    local: string;
    why: string;
    occurrences_lost: number | null;
    words: string;
  }[];
}

/** Whose a budget is, and for how long, in words. */
export const SCOPES: Record<BudgetScope, [string, string]> = {
  run: ['task', 'a run'],
  task_day: ['task', 'a day'],
  agent_day: ['agent', 'a day'],
  global_day: ['all agents', 'a day'],
};
/** Occurrences after a pause that are counted. */
const MOST_LOST = 10_000;

/** Sums up what a simulation spent. @param zones the zone of each task that was played, by its name. */
export function simulationCosts(
  simulation: Simulation,
  tasks: readonly SimulatedTask[],
  { to, timezone, zones }: { to: number; timezone: string; zones: ReadonlyMap<string, string> },
): SimulationCosts {
  const { runs, spent } = simulation;
  const spends = (some: readonly Run[]) => some.flatMap(({ id }) => spent.get(id) ?? []);
  const asking = tasks.filter(({ spec, requests = [] }) => zones.has(spec.name) && requests.length > 0);
  const requests = asking.flatMap((one) => one.requests ?? []);
  return {
    ...sumOf(spends(runs)),
    timezone,
    unknown_prices: [
      ...new Set(requests.flatMap(({ model, price }) => (price === null ? [model] : []))),
    ].sort(),
    tasks: asking.map(({ spec, requests: asked = [] }) => {
      const own = spends(runs.filter(({ taskName }) => taskName === spec.name));
      const counts = asked.map(({ measured }) => measured?.runs ?? 0);
      const measured = Math.min(...counts);
      return {
        task: spec.name,
        runs: own.length,
        ...sumOf(own),
        basis: measured > 0 ? ('measured' as const) : ('estimated' as const),
        measured_runs: measured,
        basis_words:
          measured > 0
            ? `median of ${measured} past ${measured === 1 ? 'run' : 'runs'}`
            : 'estimated from the pipeline',
        per_run: perRun(asked),
      };
    }),
    days: daysOf(runs, spent, timezone),
    budgets: budgetsOf(simulation.budgetDays),
    budget_hits: hitsOf(simulation, zones),
    paused: simulation.paused.map(({ name, at, why }) => {
      const schedule = tasks.find(({ spec }) => spec.name === name)?.spec.schedule;
      const lost = isTimed(schedule)
        ? recurrenceOf(schedule)
            .take(at, MOST_LOST)
            .filter((due) => due < to).length
        : null;
      const local = formatInZone(zones.get(name) ?? 'UTC', at);
      const after =
        lost === null || lost === 0 ? '' : `; ${counted(lost, 'occurrence')} after that would not come`;
      return {
        task: name,
        at: new Date(at).toISOString(),
        local,
        why,
        occurrences_lost: lost,
        words: `${name} is paused on ${local} (${why.replace(/\.$/, '')})${after}: pao task resume ${name}`,
      };
    }),
  };
}

function sumOf(spends: readonly Spend[]): Amount {
  const total = spends.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0);
  return {
    tokens: spends.reduce((sum, { tokens }) => sum + tokens, 0),
    usd: spends.some(({ unpriced }) => unpriced > 0) ? null : total / NANO_USD,
  };
}

function daysOf(runs: readonly Run[], spent: Simulation['spent'], timezone: string): SimulationCosts['days'] {
  const byDay = grouped(runs, ({ scheduledFor }) => formatInZone(timezone, scheduledFor, 'date'));
  return [...byDay].map(([day, some]) => ({
    day,
    due: some.length,
    ran: some.filter(({ status }) => status === 'succeeded' || status === 'partial').length,
    skipped: some.filter(({ status }) => status === 'skipped' || status === 'missed').length,
    ...sumOf(some.flatMap(({ id }) => spent.get(id) ?? [])),
  }));
}

function budgetsOf(found: Simulation['budgetDays']): SimulationCosts['budgets'] {
  const groups = grouped(found, ({ scope, name }) => `${scope}/${name ?? ''}`);
  return [...groups.values()].map((days) => {
    const [{ scope, name, limits }] = days as [(typeof days)[0]];
    const share = ({ used }: (typeof days)[0]) =>
      Math.max(
        ...(['tokens', 'usd', 'calls', 'runs'] as const).map(
          (unit) => amountOf(used, unit) / (limits[unit] ?? Infinity),
        ),
      );
    const busiest = days.reduce((most, one) => (share(one) > share(most) ? one : most));
    return {
      scope,
      name,
      limits,
      busiest_day: busiest.day,
      words: usedWords(limits, busiest.used),
      days: days
        .map(({ day, used }) => ({
          day,
          tokens: used.tokens,
          usd: amountOf(used, 'usd'),
          calls: used.calls,
          runs: used.runs,
        }))
        .sort((a, b) => (a.day < b.day ? -1 : 1)),
    };
  });
}

function hitsOf(
  { runs, hits }: Simulation,
  zones: ReadonlyMap<string, string>,
): SimulationCosts['budget_hits'] {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const told = new Set(hits.map(({ runId }) => runId));
  const all = [
    ...hits.flatMap(({ runId, scope, unit, limit }) => {
      const run = byId.get(runId);
      return run === undefined
        ? []
        : [
            {
              run,
              scope,
              unit,
              limit,
              why: `${SCOPES[scope][0]}, ${unitWords(unit, limit)} ${SCOPES[scope][1]}`,
            },
          ];
    }),
    // Refused before any sum was looked at.
    ...runs
      .filter(({ id, reason }) => reason === 'budget' && !told.has(id))
      .map((run) => ({
        run,
        scope: null,
        unit: 'usd' as const,
        limit: null,
        why: 'in USD, and a price is not known',
      })),
  ];
  const groups = grouped(all, ({ run, why }) => `${run.taskName}/${why}`);
  return [...groups.values()].map((group) => {
    const [{ run, scope, unit, limit, why }] = group as [(typeof group)[0]];
    const hit = [...new Set(group.map((one) => one.run))].sort((a, b) => a.scheduledFor - b.scheduledFor);
    const first = hit[0] ?? run;
    const skipped = hit.filter(({ status }) => status === 'skipped').length;
    const local = formatInZone(zones.get(run.taskName) ?? 'UTC', first.scheduledFor);
    const count = counted(hit.length, 'run');
    const what = skipped === hit.length ? `${count} skipped` : `${count} not paid for in full`;
    return {
      task: run.taskName,
      scope,
      unit,
      limit,
      runs: hit.length,
      skipped,
      first_at: new Date(first.scheduledFor).toISOString(),
      first_local: local,
      words: `${what}: budget (${why}), first on ${local}`,
    };
  });
}

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [value]);
    else known.push(value);
  }
  return groups;
}
