import type { Delivery, DeliveryMessage } from '../../../domain/delivery.js';
import type { RunError } from '../../../domain/run.js';
import { fromJson } from './json-column.js';

/** A row of `outbox`, as both engines give it. */
export interface DeliveryRow {
  seq: number;
  id: string;
  agent_id: string;
  key: string;
  origin: Delivery['origin'];
  task_id: string | null;
  run_id: string | null;
  step_id: string | null;
  channel: string;
  message: string;
  quiet_hours: Delivery['quietHours'];
  urgent: number | boolean;
  digest_key: string | null;
  status: Delivery['status'];
  reason: string | null;
  attempts: number;
  due_at: number | null;
  lease_token: number;
  error: string | null;
  answer: string | null;
  merged_into: string | null;
  created_at: number;
  updated_at: number;
  finished_at: number | null;
}

/** The delivery that a row describes. */
export function toDelivery(row: DeliveryRow): Delivery {
  return {
    id: row.id,
    agentId: row.agent_id,
    key: row.key,
    origin: row.origin,
    taskId: row.task_id,
    runId: row.run_id,
    stepId: row.step_id,
    channel: row.channel,
    message: JSON.parse(row.message) as DeliveryMessage,
    quietHours: row.quiet_hours,
    urgent: Boolean(row.urgent),
    digestKey: row.digest_key,
    status: row.status,
    reason: row.reason,
    attempts: row.attempts,
    dueAt: row.due_at,
    leaseToken: row.lease_token,
    error: fromJson<RunError>(row.error),
    answer: fromJson(row.answer),
    mergedInto: row.merged_into,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    finishedAt: row.finished_at,
  };
}
