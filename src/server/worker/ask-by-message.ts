import { deadlineLine } from '../../domain/approval.js';
import { approvalLink, isOnThisMachine } from '../../domain/approval-link.js';
import { CHANNEL_PREFIX } from '../../domain/channel.js';
import type { NewDelivery } from '../../domain/delivery.js';
import { quietTimesOf } from '../../domain/quiet-times.js';
import { formatInZone } from '../../domain/recurrence/index.js';
import { readAgentQuiet } from '../deliver/agent-quiet.js';
import { newDelivery } from '../deliver/new-delivery.js';
import type { LeasedRun, NewApproval, Store } from '../store/store.js';

/** More of what is to be approved is looked up with pao. */
const MAX_DATA = 1500;

/** Where questions are asked. */
export interface AskSettings {
  /** The channel of the configuration; none when left out. */
  channel?: string | undefined;
  /** Where people reach the API. */
  publicUrl?: string | undefined;
}

/**
 * The message that carries a question to a person, with the exact commands that answer it. It waits for the end of a quiet
 * time only when there is time to answer after it.
 * @returns null when nobody is to be asked by a message.
 */
export async function askByMessage(
  approval: NewApproval,
  own: string | undefined,
  { run, spec }: Pick<LeasedRun, 'run' | 'spec'>,
  options: AskSettings & { store: Pick<Store, 'getMeta'>; zone: string; now: number },
): Promise<NewDelivery | null> {
  const name = own ?? options.channel;
  if (name === undefined) return null;
  const times = quietTimesOf(spec, await readAgentQuiet(options.store, run.agentId));
  const message = {
    agentId: run.agentId,
    key: approval.id,
    origin: 'approval' as const,
    taskId: run.taskId,
    runId: run.id,
    stepId: approval.stepId,
    channel: CHANNEL_PREFIX + name,
    message: {
      input: {
        title: `${run.taskName} asks`,
        text: textOf(approval, run, options),
        data: dataOf(approval, run, options),
      },
      ...(own === undefined ? { byOperator: true } : {}),
    },
  };
  const waiting = newDelivery(message, times, options.now);
  return waiting.dueAt !== null && waiting.dueAt < approval.expiresAt
    ? waiting
    : newDelivery({ ...message, quietHours: 'ignore' }, times, options.now);
}

function textOf(
  { id, stepId, message, data, expiresAt, onTimeout }: NewApproval,
  run: LeasedRun['run'],
  { zone, publicUrl }: AskSettings & { zone: string },
): string {
  const shown = data === null || data === undefined ? '' : JSON.stringify(data, null, 2);
  const api = `POST ${publicUrl?.replace(/\/+$/, '') ?? ''}/v1/runs/${run.id}/approvals/${stepId}`;
  return [
    message,
    shown.length > MAX_DATA ? `${shown.slice(0, MAX_DATA)}…` : shown,
    publicUrl === undefined ? '' : linkLine(publicUrl, id),
    `Yes: pao run approve ${run.id} ${stepId}\nNo:  pao run reject ${run.id} ${stepId}`,
    `Or ${api} {"decision": "approve"}`,
    deadlineLine(`${formatInZone(zone, expiresAt)} (${zone})`, onTimeout),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

const linkLine = (address: string, id: string) =>
  `${isOnThisMachine(address) ? 'On the machine of pao' : 'In a browser'}: ${approvalLink(address, id)}`;

const dataOf = (
  { id, stepId, expiresAt }: NewApproval,
  run: LeasedRun['run'],
  { publicUrl }: AskSettings,
) => ({
  approval_id: id,
  run_id: run.id,
  task: run.taskName,
  step: stepId,
  expires_at: new Date(expiresAt).toISOString(),
  ...(publicUrl === undefined ? {} : { approval_url: approvalLink(publicUrl, id) }),
});
