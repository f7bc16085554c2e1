import { createHash } from 'node:crypto';
import { PaoError } from '../../domain/errors.js';
import { RUN_STATUSES } from '../../domain/run.js';
import { type Tool, toolSchema } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from './connector.js';
import { listInput, listOutput, readSince, reportTools } from './inside-reports.js';

/** Built-in tools that have to do with the system itself. */
export const insideTools: Tool[] = [
  toolSchema.parse({
    address: 'event.publish',
    title: 'Publish an event',
    description:
      'Publishes an event on a topic, once for each step of a run; tasks and steps that wait for it go on. The run is recorded as its cause.',
    kind: 'builtin',
    side_effect: 'idempotent',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required: ['topic'],
      properties: {
        topic: { type: 'string', maxLength: 200, pattern: '^[a-zA-Z0-9_-]+(\\.[a-zA-Z0-9_-]+)*$' },
        payload: { description: 'Any JSON' },
        dedupe_key: {
          type: 'string',
          minLength: 1,
          maxLength: 200,
          description: 'The same key within 24 hours is the same event; the step of the run when left out',
        },
      },
    },
    output_schema: {
      type: 'object',
      required: ['id', 'topic', 'duplicate'],
      properties: {
        id: { type: 'string' },
        topic: { type: 'string' },
        sequence: { type: 'integer' },
        duplicate: { type: 'boolean' },
      },
    },
  }),
  toolSchema.parse({
    address: 'run.list',
    title: 'List runs',
    description:
      "Lists runs of this agent's tasks (of all tasks for an admin) since an instant, newest first, also those that were skipped or missed. Gives {items, count, truncated}.",
    kind: 'builtin',
    side_effect: 'read',
    input_schema: listInput({
      status: {
        type: 'array',
        items: { enum: [...RUN_STATUSES] },
        description: 'Only these; failed and dead are the ones that did not work',
      },
      reason: { type: 'array', items: { type: 'string' }, description: 'Only ended for one of these' },
      except_reason: {
        type: 'array',
        items: { type: 'string' },
        description: 'Not ended for these; denied and expired are what people said no to, or did not answer',
      },
    }),
    output_schema: listOutput(['id', 'task_name', 'status', 'scheduled_for'], {
      id: { type: 'string' },
      task_name: { type: 'string' },
      status: { type: 'string' },
      reason: { type: ['string', 'null'] },
      error: { type: ['string', 'null'] },
      trigger: { type: 'string' },
      scheduled_for: { type: 'string' },
    }),
  }),
  ...reportTools,
];

/** Longest payload of an event, bytes: as over the API. */
const MAX_PAYLOAD_BYTES = 256 * 1024;

/** Publishes an event; the run of the step is its cause. */
export async function publishEvent(
  services: ConnectorServices,
  call: ConnectorCall,
): Promise<ConnectorAnswer> {
  const {
    topic,
    payload = null,
    dedupe_key,
  } = call.input as {
    topic: string;
    payload?: unknown;
    dedupe_key?: string;
  };
  if (services.publish === undefined)
    throw new ToolError('config_error', 'Events can be published only where a system is running.');
  if (Buffer.byteLength(JSON.stringify(payload)) > MAX_PAYLOAD_BYTES)
    throw new ToolError('invalid_input', 'The payload is larger than 256 KiB.', { pointer: '/payload' });
  const { idempotencyKey } = call.context;
  // A step that is tried again publishes what it published before.
  const dedupeKey = dedupe_key ?? (idempotencyKey === undefined ? null : `step:${hashOf(idempotencyKey)}`);
  try {
    const { event, duplicate } = await services.publish({ topic, payload, dedupeKey }, call.context);
    return { output: { id: event.id, topic: event.topic, sequence: event.sequence, duplicate } };
  } catch (error) {
    if (!(error instanceof PaoError)) throw error;
    throw new ToolError('overloaded', error.message, { cause: error });
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Lists runs as the agent of the step sees them. */
export async function listRuns(services: ConnectorServices, call: ConnectorCall): Promise<ConnectorAnswer> {
  const {
    since,
    status,
    reason,
    except_reason,
    limit = 100,
  } = call.input as {
    since: string;
    status?: string[];
    reason?: string[];
    except_reason?: string[];
    limit?: number;
  };
  if (services.listRuns === undefined)
    throw new ToolError('config_error', 'Runs can be listed only where a system is running.');
  const { runs, more } = await services.listRuns(
    { since: readSince(since), statuses: status, reasons: reason, exceptReasons: except_reason, limit },
    call.context,
  );
  const items = runs.map((run) => ({
    id: run.id,
    task_name: run.taskName,
    status: run.status,
    reason: run.reason,
    error: run.error?.message ?? null,
    trigger: run.trigger,
    scheduled_for: new Date(run.scheduledFor).toISOString(),
  }));
  return { output: { items, count: items.length, truncated: more } };
}
