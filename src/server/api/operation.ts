import type { z } from 'zod';
import type { Caller } from './caller.js';
import type { ApiServices } from './services/api-services.js';

/** What an operation is told about the request, whatever it came in by. */
export interface OperationContext {
  services: ApiServices;
  caller: Caller;
  /** Aborted when the caller is gone or the service stops. */
  signal: AbortSignal;
  requestId: string;
  /** W3C trace id of the request, 32 hex digits, when the caller sent one. */
  traceId: string | null;
  idempotencyKey: string | null;
  /** Value of `If-Match`, unquoted. */
  ifMatch: string | null;
}

/** What an operation answers. */
export interface Answer<Body> {
  body: Body;
  /** When it is not the operation's usual status. */
  status?: number;
  /** Path of what was created. */
  location?: string;
  /** Version of what is shown, for `ETag`. */
  etag?: string;
}

type Parsed<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

export interface OperationInput<Params, Query, Body> {
  params: Parsed<Params>;
  query: Parsed<Query>;
  body: Parsed<Body>;
}

/**
 * One operation of the API: everything that REST routes, the OpenAPI document and MCP tools are made from.
 * Handlers know nothing of HTTP servers.
 */
export interface Operation<
  Params extends z.ZodType | undefined = z.ZodType | undefined,
  Query extends z.ZodType | undefined = z.ZodType | undefined,
  Body extends z.ZodType | undefined = z.ZodType | undefined,
  Response extends z.ZodType = z.ZodType,
> {
  /** `<thing>_<verb>`; also the name of the MCP tool (agents.md A.5). */
  name: string;
  tag: string;
  summary: string;
  description?: string;
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `{name}` for parameters. */
  path: string;
  /** Scope a caller needs; null: any valid token. */
  scope: string | null;
  params?: Params;
  query?: Query;
  body?: Body;
  /** An absent body is taken as `{}`. */
  isBodyOptional?: boolean;
  /** Bytes; 1 MiB when left out. */
  bodyLimit?: number;
  /** Values in the JSON body; 20,000 when left out. */
  maxValues?: number;
  response: Response;
  status: 200 | 201 | 202 | 204;
  /** The answer holds a secret: it is not kept for a repeat under the same Idempotency-Key. */
  holdsSecret?: boolean;
  /** As in MCP; `POST` is neither read-only nor idempotent when left out. */
  annotations?: {
    readOnlyHint?: boolean;
    destructiveHint?: boolean;
    idempotentHint?: boolean;
    openWorldHint?: boolean;
  };
  handler: (
    context: OperationContext,
    input: OperationInput<Params, Query, Body>,
  ) => Promise<Answer<z.input<Response>>>;
}

/** An operation in the catalogue, its types forgotten. */
export type AnyOperation = Omit<Operation, 'handler'> & {
  // biome-ignore lint/suspicious/noExplicitAny: the binder hands over what the operation's own schemas gave
  handler: (context: OperationContext, input: any) => Promise<Answer<unknown>>;
};

/** Declares an operation; its handler's input is typed by its schemas. */
export function defineOperation<
  Params extends z.ZodType | undefined = undefined,
  Query extends z.ZodType | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
  Response extends z.ZodType = z.ZodType,
>(operation: Operation<Params, Query, Body, Response>): AnyOperation {
  return operation as unknown as AnyOperation;
}
