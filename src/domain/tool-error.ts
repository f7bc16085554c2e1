import { cut } from './errors.js';

/** What went wrong in a tool call, in a closed list that retry policies and reports can rely on. */
export type ToolErrorKind =
  | 'timeout'
  | 'canceled'
  | 'tool_error'
  | 'transport'
  | 'auth'
  | 'rate_limited'
  | 'overloaded'
  | 'invalid_input'
  | 'invalid_output'
  | 'refused'
  | 'truncated'
  | 'config_error'
  | 'blocked'
  | 'too_large'
  | 'unknown_outcome'
  | 'budget';

const RETRYABLE: ReadonlySet<ToolErrorKind> = new Set<ToolErrorKind>([
  'timeout',
  'tool_error',
  'transport',
  'rate_limited',
  'overloaded',
]);

/** The longest message a tool error carries, in UTF-16 units. */
const MAX_MESSAGE = 1000;

export interface ToolErrorOptions {
  /** Whether trying the same call again can help; by default what is usual for the kind. */
  retryable?: boolean;
  /** How long the other side asked us to wait, milliseconds from now. */
  retryAfterMs?: number;
  /** False when the request may have taken effect although no answer came; true when left out. */
  outcomeKnown?: boolean;
  /** RFC 6901 JSON Pointer to the value at fault, inside the input or the output. */
  pointer?: string;
  /** Small JSON facts for the record (HTTP status, parts delivered, …); never a secret. */
  details?: Record<string, unknown>;
  /** Tokens that were used before the call failed. */
  usage?: ToolUsage;
  cause?: unknown;
}

/** Tokens a model call used. */
export interface ToolUsage {
  input_tokens: number;
  output_tokens: number;
  /** True when the provider did not say and the figure is our upper estimate. */
  estimated?: boolean;
}

/** A tool call that did not succeed. The message is for people and already redacted by the caller that threw it. */
export class ToolError extends Error {
  readonly kind: ToolErrorKind;
  readonly retryable: boolean;
  readonly retryAfterMs?: number;
  readonly outcomeKnown: boolean;
  readonly pointer?: string;
  readonly details?: Record<string, unknown>;
  readonly usage?: ToolUsage;

  constructor(kind: ToolErrorKind, message: string, options: ToolErrorOptions = {}) {
    super(cut(message, MAX_MESSAGE - 1), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'ToolError';
    this.kind = kind;
    this.retryable = options.retryable ?? RETRYABLE.has(kind);
    this.outcomeKnown = options.outcomeKnown ?? true;
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
    if (options.pointer !== undefined) this.pointer = options.pointer;
    if (options.details !== undefined) this.details = options.details;
    if (options.usage !== undefined) this.usage = options.usage;
  }
}
