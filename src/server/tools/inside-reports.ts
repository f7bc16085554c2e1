import { DELIVERY_STATUSES } from '../../domain/delivery.js';
import { amountOf, type Spend } from '../../domain/budget.js';
import { spendWords } from '../../domain/budget-words.js';
import { type Tool, toolSchema } from '../../domain/tool.js';
import { ToolError } from '../../domain/tool-error.js';
import type { ConnectorAnswer, ConnectorCall, ConnectorServices } from './connector.js';

/** Longest time that is looked back on, days: a sum is read for each day. */
const MOST_DAYS = 31;

const spend = {
  tokens: { type: 'integer' },
  usd: { type: 'number' },
  calls: { type: 'integer' },
  runs: { type: 'integer' },
  calls_of_unknown_price: { type: 'integer' },
  words: { type: 'string' },
} as const;
const spendOf = (more: object) => ({
  type: 'object',
  required: [...Object.keys(more), ...Object.keys(spend)],
  properties: { ...more, ...spend },
});
const NAME = { type: 'string' } as const;
const TEXT_OR_NULL = { type: ['string', 'null'] } as const;

/** What a list takes of what happened since an instant. */
export const listInput = (more: object) => ({
  type: 'object',
  additionalProperties: false,
  required: ['since'],
  properties: {
    since: { type: 'string', description: "RFC 3339; for the last day: ${date_add(now, '-P1D')}" },
    ...more,
    limit: { type: 'integer', minimum: 1, maximum: 500, default: 100 },
  },
});
/** What a list gives: its items, how many, and whether there are more. */
export const listOutput = (required: readonly string[], properties: object) => ({
  type: 'object',
  required: ['items', 'count', 'truncated'],
  properties: {
    items: { type: 'array', items: { type: 'object', required, properties } },
    count: { type: 'integer' },
    truncated: { type: 'boolean' },
  },
});

/** Built-in tools that tell what was spent, and what became of messages. */
export const reportTools: Tool[] = [
  toolSchema.parse({
    address: 'spend.list',
    title: 'What was spent',
    description:
      'What was used of tokens, dollars and bounded calls and runs on the days since an instant, its day and today included, each day in the zone its budget has. total: of all agents for an admin, else of this agent. Gives {total, agents, tasks, truncated}; who used nothing is left out, who used most comes first.',
    kind: 'builtin',
    side_effect: 'read',
    input_schema: {
      type: 'object',
      additionalProperties: false,
      required: ['since'],
      properties: {
        since: {
          type: 'string',
          description: `RFC 3339, at most ${MOST_DAYS} days ago; for the last week: \${date_add(now, '-P7D')}`,
        },
      },
    },
    output_schema: {
      type: 'object',
      required: ['total', 'agents', 'tasks', 'truncated'],
      properties: {
        total: spendOf({}),
        agents: { type: 'array', items: spendOf({ name: NAME }) },
        tasks: { type: 'array', items: spendOf({ name: NAME, agent: NAME }) },
        truncated: { type: 'boolean' },
      },
    },
  }),
  toolSchema.parse({
    address: 'delivery.list',
    title: 'List messages',
    description:
      'Lists messages of this agent (of all for an admin) that came to be what they are since an instant, newest first, without their text. failed: it did not arrive; unknown: it may have. Gives {items, count, truncated}.',
    kind: 'builtin',
    side_effect: 'read',
    input_schema: listInput({
      status: { type: 'array', items: { enum: [...DELIVERY_STATUSES] }, description: 'Only these' },
      channel: { type: 'string', description: 'Only of this tool or channel' },
    }),
    output_schema: listOutput(['id', 'channel', 'status', 'origin', 'created_at'], {
      id: { type: 'string' },
      channel: { type: 'string' },
      status: { type: 'string' },
      reason: TEXT_OR_NULL,
      error: TEXT_OR_NULL,
      origin: { type: 'string' },
      task_name: TEXT_OR_NULL,
      run_id: TEXT_OR_NULL,
      created_at: { type: 'string' },
    }),
  }),
];

/** Reads the instant a list begins at. @throws ToolError `invalid_input`. */
export function readSince(since: string): number {
  const from = Date.parse(since);
  if (Number.isNaN(from))
    throw new ToolError('invalid_input', `"${since.slice(0, 40)}" is not an instant.`, { pointer: '/since' });
  return from;
}

/** Tells what was spent, as the agent of the step may know it. */
export async function listSpend(services: ConnectorServices, call: ConnectorCall): Promise<ConnectorAnswer> {
  if (services.listSpend === undefined)
    throw new ToolError('config_error', 'What was spent is known only where a system is running.');
  const since = readSince((call.input as { since: string }).since);
  if (services.clock.now() - since > MOST_DAYS * 86_400_000)
    throw new ToolError('invalid_input', `since is more than ${MOST_DAYS} days ago.`, { pointer: '/since' });
  const { total, agents, tasks, truncated } = await services.listSpend(since, call.context);
  const most = <T extends { spend: Spend }>(list: T[]) =>
    list
      .filter(({ spend: { tokens, calls, runs } }) => tokens + calls + runs > 0)
      .sort((a, b) => b.spend.nanoUsd - a.spend.nanoUsd || b.spend.tokens - a.spend.tokens)
      .map(({ spend: own, ...names }) => ({ ...names, ...spendView(own) }));
  return { output: { total: spendView(total), agents: most(agents), tasks: most(tasks), truncated } };
}

const spendView = (own: Spend) => ({
  tokens: own.tokens,
  usd: amountOf(own, 'usd'),
  calls: own.calls,
  runs: own.runs,
  calls_of_unknown_price: own.unpriced,
  words: spendWords(own),
});

/** Lists messages as the agent of the step sees them. */
export async function listDeliveries(
  services: ConnectorServices,
  call: ConnectorCall,
): Promise<ConnectorAnswer> {
  if (services.listDeliveries === undefined)
    throw new ToolError('config_error', 'Messages can be listed only where a system is running.');
  const {
    since,
    status,
    channel,
    limit = 100,
  } = call.input as {
    since: string;
    status?: string[];
    channel?: string;
    limit?: number;
  };
  const query = { since: readSince(since), statuses: status, channel, limit };
  const { deliveries, more } = await services.listDeliveries(query, call.context);
  const items = deliveries.map(({ taskName, ...one }) => ({
    id: one.id,
    channel: one.channel,
    status: one.status,
    reason: one.reason,
    error: one.error?.message ?? null,
    origin: one.origin,
    task_name: taskName,
    run_id: one.runId,
    created_at: new Date(one.createdAt).toISOString(),
  }));
  return { output: { items, count: items.length, truncated: more } };
}
