import type { Task, TaskSpec, TaskState } from '../../../domain/task.js';
import { fromJson } from './json-column.js';

/** A row of `task` with the id of its agent. */
export interface TaskRow {
  seq: number;
  id: string;
  agent_seq: number;
  agent_id: string;
  name: string;
  version: number;
  state: TaskState;
  state_reason: string | null;
  scopes: string;
  next_due_at: number | null;
  snoozed_until: number | null;
  last_run_at: number | null;
  memory: string | null;
  created_by: string;
  created_in_run: string | null;
  spawn_depth: number;
  created_at: number;
  updated_at: number;
}

/** Tasks with the id of their agent; to be followed by WHERE. */
export const SELECT_TASK = `SELECT task.seq, task.id, task.agent_seq, agent.id AS agent_id, task.name, task.version,
  task.state, task.state_reason, task.scopes, task.next_due_at, task.snoozed_until, task.last_run_at, task.memory,
  task.created_by, task.created_in_run, task.spawn_depth, task.created_at, task.updated_at
  FROM task JOIN agent ON agent.seq = task.agent_seq`;

/** The task that a row and its parsed spec describe. */
export function toTask(row: TaskRow, spec: TaskSpec): Task {
  return {
    id: row.id,
    agentId: row.agent_id,
    name: row.name,
    version: row.version,
    state: row.state,
    stateReason: row.state_reason,
    spec,
    scopes: fromJson<string[]>(row.scopes) ?? [],
    nextDueAt: row.next_due_at,
    snoozedUntil: row.snoozed_until,
    lastRunAt: row.last_run_at,
    memory: fromJson(row.memory),
    createdBy: row.created_by,
    createdInRun: row.created_in_run,
    spawnDepth: row.spawn_depth,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Whether the schedule names due times by itself. */
export function isTimedSpec(spec: TaskSpec): boolean {
  return spec.schedule !== undefined && spec.schedule.kind !== 'event';
}

/** Under which key dispatch finds an event task. */
export function eventKeyOf(spec: TaskSpec): string | null {
  const { schedule } = spec;
  if (schedule?.kind !== 'event') return null;
  const key = eventKey(schedule.topic);
  if (schedule.absent === undefined) return key;
  const other = eventKey(schedule.absent.topic);
  if (key === other) return key;
  // One key for both topics: their first word when they share it.
  const [first, second] = [schedule.topic, schedule.absent.topic].map((topic) => topic.split('.')[0]);
  return first === second && first !== '*' && first !== '#' ? `*${first}` : '*';
}

/** The key of a topic pattern: `=topic` when it has no wildcard, else `*` and its first word. */
export function eventKey(topic: string): string {
  const words = topic.split('.');
  if (!words.includes('*') && !words.includes('#')) return `=${topic}`;
  const first = words[0] as string;
  return first === '*' || first === '#' ? '*' : `*${first}`;
}

/** The keys of all tasks whose pattern may fit a topic. */
export function eventKeysFor(topic: string): [string, string, string] {
  return [`=${topic}`, `*${topic.split('.')[0] as string}`, '*'];
}
