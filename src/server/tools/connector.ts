import type { Spend } from '../../domain/budget.js';
import type { Clock } from '../../domain/clock.js';
import type { Delivery } from '../../domain/delivery.js';
import type { PublishedEvent } from '../../domain/event.js';
import type { Run } from '../../domain/run.js';
import type { Tool } from '../../domain/tool.js';
import { ToolError, type ToolUsage } from '../../domain/tool-error.js';
import type { ToolCallContext } from './caller.js';
import type { Deadline } from './deadline.js';
import type { EgressGuard } from './egress-guard.js';
import type { SecretSource } from './secrets.js';

/** What every connector works with. */
export interface ConnectorServices {
  clock: Clock;
  secrets: Pick<SecretSource, 'resolve'>;
  guard: EgressGuard;
  /** `pao/<version>`, as the other side sees us. */
  userAgent: string;
  /** Left out where there is no system behind it. */
  publish?: PublishFromCall | undefined;
  listRuns?: ListRunsForCall | undefined;
  listSpend?: ListSpendForCall | undefined;
  listDeliveries?: ListDeliveriesForCall | undefined;
}

/** Lists runs, newest first, as far as the agent of a call may see them. */
export type ListRunsForCall = (
  query: {
    since: number;
    statuses: string[] | undefined;
    reasons: string[] | undefined;
    exceptReasons: string[] | undefined;
    limit: number;
  },
  context: ToolCallContext,
) => Promise<{ runs: Run[]; more: boolean }>;

/** What was spent on the days since an instant, as far as the agent of a call may know it. */
export type ListSpendForCall = (
  since: number,
  context: ToolCallContext,
) => Promise<{
  total: Spend;
  agents: { name: string; spend: Spend }[];
  tasks: { name: string; agent: string; spend: Spend }[];
  truncated: boolean;
}>;

/** Lists messages that came to be what they are since an instant, as far as the agent of a call may see them. */
export type ListDeliveriesForCall = (
  query: { since: number; statuses: string[] | undefined; channel: string | undefined; limit: number },
  context: ToolCallContext,
) => Promise<{ deliveries: (Delivery & { taskName: string | null })[]; more: boolean }>;

/** Publishes an event on behalf of a call: its run is the event's cause, and its agent the publisher. */
export type PublishFromCall = (
  event: { topic: string; payload: unknown; dedupeKey: string | null },
  context: ToolCallContext,
) => Promise<{ event: PublishedEvent; duplicate: boolean }>;

/** One call on its way to a connector: input checked, time running. */
export interface ConnectorCall {
  tool: Tool;
  input: unknown;
  context: ToolCallContext;
  deadline: Deadline;
}

/** What a connector hands back; the output is not yet checked against the schema. */
export interface ConnectorAnswer {
  output: unknown;
  usage?: ToolUsage;
  requestId?: string;
  status?: number;
}

/** Resolves secrets by name for one call. Throws as {@link SecretSource.resolve}. */
export async function resolveSecrets(
  services: ConnectorServices,
  call: Pick<ConnectorCall, 'tool' | 'context'>,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const values = new Map<string, string>();
  for (const name of names) {
    if (values.has(name)) continue;
    values.set(
      name,
      await services.secrets.resolve(name, { tool: call.tool.address, agent: call.context.agent }),
    );
  }
  return values;
}

/** The connector block of a tool; a tool without the block of its kind is a mistake in the catalog. */
export function blockOf<K extends 'http' | 'mcp' | 'llm'>(tool: Tool, kind: K): NonNullable<Tool[K]> {
  const block = tool[kind];
  if (block === undefined) throw new ToolError('config_error', `${tool.address} has no ${kind} block.`);
  return block as NonNullable<Tool[K]>;
}
