import type { AgentBudget, BudgetLimits, BudgetScope, BudgetUnit, Spend } from '../../domain/budget.js';
import type { Delivery } from '../../domain/delivery.js';
import type { QuietTimes } from '../../domain/quiet-times.js';
import type { Run } from '../../domain/run.js';
import type { TaskSpec } from '../../domain/task.js';
import type { Price } from '../budget/prices.js';
import type { GlobalBudget } from '../config.js';
import type { EventWindow } from '../store/store.js';
import type { Outputs } from './simulated-tools.js';

/** A step that asks a model: what one request sets aside, and what it used in the past. */
export interface SimulatedRequest {
  step: string;
  tool: string;
  model: string;
  /** Items of a foreach, at most; 1 without one. */
  items: number;
  inputTokens: number;
  outputTokens: number;
  /** Null when it is not known. */
  price: Price | null;
  /** The medians of past runs in which it asked; null when there is none. */
  measured: { runs: number; items: number; inputTokens: number; outputTokens: number } | null;
}

/** A task as it is simulated. */
export interface SimulatedTask {
  /** Its id in reality, where it has one: jitter depends on it. */
  id?: string | undefined;
  /** Name of its agent (`SimulationOptions.agents`); one without limits when left out. */
  agent?: string | undefined;
  /** With a start to count from (`anchored`). */
  spec: TaskSpec;
  /** Occurrences before this instant are left out, epoch milliseconds. */
  snoozedUntil?: number | undefined;
  /** How long a run is taken to last, milliseconds. */
  durationMs: number;
  /** What its tools answer; without an answer for each of them, its runs are taken to succeed. */
  outputs: Outputs;
  /** Its steps that ask models; none when left out. */
  requests?: readonly SimulatedRequest[] | undefined;
  /** What it has used of the day on which the simulation begins. */
  spentToday?: SpentDay | undefined;
}

/** What was used of a local day before a simulation begins in it. */
export interface SpentDay {
  day: string;
  spend: Spend;
}

/** Whose tasks they are: what bounds them, and when their messages wait. */
export interface SimulatedAgent {
  name: string;
  budget: AgentBudget | null;
  quiet: QuietTimes;
  spentToday?: SpentDay | undefined;
}

/** An event that is published in a simulation. */
export interface SimulatedEvent {
  /** Epoch milliseconds. */
  at: number;
  topic: string;
  payload: unknown;
}

export interface SimulationOptions {
  tasks: readonly SimulatedTask[];
  /** Epoch milliseconds: occurrences from here, inclusive … */
  from: number;
  /** … to here, exclusive. */
  to: number;
  agents?: readonly SimulatedAgent[] | undefined;
  /** What is published on the way; without any, tasks that run on events are left out. */
  events?: readonly SimulatedEvent[] | undefined;
  /** What all agents together may use. */
  budget?: GlobalBudget | undefined;
  /** IANA zone of the days of budgets that have none of their own. */
  timezone?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** A budget that was in the way of a run. */
export interface BudgetHit {
  runId: string;
  scope: BudgetScope;
  unit: BudgetUnit;
  limit: number;
  /** The local day it is for; null when it is for a run. */
  day: string | null;
  at: number;
}

/** What was used of a budget of a day. */
export interface BudgetDay {
  scope: Exclude<BudgetScope, 'run'>;
  /** Name of the task or agent; null for everybody's. */
  name: string | null;
  day: string;
  limits: BudgetLimits;
  used: Spend;
}

export interface Simulation {
  /** Every row of the ledger, in order of time. */
  runs: Run[];
  /** What was written to people, in order of time; nothing of it was sent. */
  messages: Delivery[];
  /** What each run used, by its id; only of those that used something. */
  spent: Map<string, Spend>;
  hits: BudgetHit[];
  /** Budgets of days, where there are limits. */
  budgetDays: BudgetDay[];
  /** Tasks that a budget paused. */
  paused: { name: string; at: number; why: string }[];
  /** How many events triggered a run together, by the run's id. */
  together: Map<string, number>;
  /** Windows of events that were still open at the end. */
  openWindows: ({ name: string } & EventWindow)[];
  /** Tasks whose pipelines were not run, with the tools that nobody said an answer for. */
  assumed: { name: string; tools: string[] }[];
  /** Tasks left out: what they wait for is not in the calendar. */
  leftOut: { name: string; why: string }[];
  /** There was more than a simulation takes; the runs end early. */
  truncated: boolean;
}
