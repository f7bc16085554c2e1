import type { z } from 'zod';
import type { Agent, AgentToken } from '../../domain/agent.js';
import type { Clock } from '../../domain/clock.js';
import type { PublishEvent } from '../../domain/event.js';
import type { TraceContext } from '../../domain/observability/trace.js';
import type { Redactor } from '../../domain/redact.js';
import type { Run, StepRun } from '../../domain/run.js';
import type { Task } from '../../domain/task.js';
import type { Tool } from '../../domain/tool.js';
import type { AnswerName } from './answers/index.js';
import type { Budgets } from '../budget/budgets.js';
import type { Bus } from '../bus/bus.js';
import type { Config } from '../config.js';
import type { Store } from '../store/store.js';
import type { LoadLimit } from './load-limit.js';
import type { HealthSource } from '../telemetry/health.js';
import type { Logger } from '../telemetry/logger.js';
import type { Metrics } from '../telemetry/metrics.js';
import type { Tracer } from '../telemetry/tracing.js';
import type { ToolCallContext, ToolResult } from '../tools/caller.js';
import type { SecretSource } from '../tools/secrets.js';

/** What the API needs from the rest of the server. */
export interface ApiServices {
  store: Store;
  bus: Bus;
  clock: Clock;
  logger: Logger;
  config: Config;
  version: string;
  health: HealthSource;
  /** Turns requests away when there are too many; none are when it is left out. */
  load?: LoadLimit;
  metrics: Metrics;
  /** Where spans go; none when no collector is configured. */
  tracer?: Tracer | null;
  redactor: Redactor;
  budgets: Budgets;
  builtinTools: readonly Tool[];
  /** Shows what a run would do; left out where there is nothing that could. */
  dryRun?: (request: {
    task: Task;
    agent: Agent;
    params: Record<string, unknown>;
    outputs: Record<string, unknown>;
    signal: AbortSignal;
  }) => Promise<{ run: Run; steps: (StepRun & { action: string })[] }>;
  /** What is known of secrets, never their values; nothing is said of them when it is left out. */
  secrets?: Pick<SecretSource, 'list'>;
  publishEvent: PublishEvent;
  callTool: (tool: Tool, input: unknown, context: ToolCallContext) => Promise<ToolResult>;
  importCatalog: (document: unknown) => Promise<{
    tools: Tool[];
    problems: { pointer: string; message: string; hint?: string }[];
  }>;
  /** Only in a test system. @returns the new time, epoch milliseconds. */
  advanceClock?: ((ms: number) => number) | undefined;
}

/** Who makes a request. */
export interface Caller {
  agent: Agent;
  token: AgentToken;
  /** What the token may do: its own scopes, met with its agent's. */
  scopes: string[];
  /** `agent:<id>`, for the audit log. */
  actor: string;
  /** The run the request comes from inside of, by its token or its `Pao-Run` header. */
  run?: Run;
  /** How what is decided here was heard from a person, for the audit log; the server alone says so. */
  via?: 'elicitation';
}

/** One request, as an operation sees it: no HTTP in it. */
export interface OperationInput<Body = unknown, Query = Record<string, string | undefined>> {
  params: Record<string, string>;
  query: Query;
  body: Body;
  caller: Caller;
  services: ApiServices;
  /** `If-Match`, without quotes. */
  ifMatch: string | null;
  /** Where this request is in its trace; what it causes goes on in it. */
  trace: TraceContext;
  requestId: string | null;
  /** Ends when the client goes away or the server stops. */
  signal: AbortSignal;
}

/** What an operation answers with. */
export interface OperationResult {
  status?: number;
  body?: unknown;
  location?: string;
  etag?: string;
}

/** One thing that can be done; REST routes and the OpenAPI document are bound from it. */
export interface Operation {
  /** `task_create`: the name a tool surface uses. */
  name: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Fastify path, `/v1/tasks/:id`. */
  path: string;
  summary: string;
  /** Scope needed; null: any valid token. */
  scope: string | null;
  body?: z.ZodType;
  /** The schema of the body in documents, where the operation itself checks it, against more than a schema. */
  documentedBody?: z.ZodType;
  query?: z.ZodType;
  status: number;
  /** What it answers with under that status: see answers/index.ts, which is not read for it. None for 204. */
  answer?: AnswerName;
  /** What it answers with under other statuses that are no error. */
  otherAnswers?: Partial<Record<number, AnswerName>>;
  /** Longest body, bytes; 1 MiB when left out. */
  maxBytes?: number;
  /** The answer holds a secret: it is not kept for a repeat under the same Idempotency-Key. */
  holdsSecret?: boolean;
  handle(input: OperationInput<never, never>): Promise<OperationResult>;
}

/** Declares an operation with the types of its body and query kept. */
export function operation<
  B extends z.ZodType | undefined = undefined,
  Q extends z.ZodType | undefined = undefined,
>(
  definition: Omit<Operation, 'handle' | 'body' | 'query'> & {
    body?: B;
    query?: Q;
    handle(
      input: OperationInput<
        B extends z.ZodType ? z.infer<B> : unknown,
        Q extends z.ZodType ? z.infer<Q> : Record<string, string | undefined>
      >,
    ): Promise<OperationResult>;
  },
): Operation {
  return definition as unknown as Operation;
}
