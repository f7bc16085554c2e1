import type { ToolUsage } from '../../domain/tool-error.js';

/** What one request to a model may use. */
export interface CallEstimate {
  tool: string;
  model: string;
  inputTokens: number;
  outputTokens: number;
}

/** Asked before everything that costs something. */
export interface CallBudget {
  /** Counts one call. @throws ToolError `budget` when there have been as many as there may be. */
  count(tool: string): Promise<void>;
  /**
   * Sets aside what a request may use.
   * @returns says what it used; null: nobody knows, and all of it counts.
   * @throws ToolError `budget` when it does not reach.
   */
  reserve(estimate: CallEstimate): Promise<(used: ToolUsage | null) => Promise<void>>;
}

/** What a call needs to know about the run it belongs to. */
export interface ToolCallContext {
  /** Aborts the call; the call then ends as `canceled`. */
  signal: AbortSignal;
  /** Total time the call may take, milliseconds; it then ends as `timeout`. */
  timeoutMs: number;
  /** Sent along so that the other side can refuse to do the same thing twice. */
  idempotencyKey?: string;
  /** W3C trace context of the step. */
  traceparent?: string;
  /** What other systems keep in that trace, to be passed on with it. */
  tracestate?: string;
  runId?: string;
  /** A token that stands for the run while it goes on, for a tool that calls back into pao. */
  runToken?: () => Promise<string>;
  stepId?: string;
  attempt?: number;
  /** IANA name of the task's zone; UTC when left out. */
  timezone?: string;
  /** Name of the agent on whose behalf the call is made; limits which secrets it may use. */
  agent?: string;
  /** Pays for it; without one it is not counted. */
  budget?: CallBudget;
  /** The message asks a person this: a channel that can shows buttons. Only pao's own questions have it. */
  question?: Question | undefined;
}

/** A question of pao, as a channel needs it to be answered there. */
export interface Question {
  approvalId: string;
  /** Where a person answers it in a browser. */
  link?: string | undefined;
}

/** What a call that succeeded gave. */
export interface ToolResult {
  output: unknown;
  usage?: ToolUsage;
  /** Id the other side gave the request, for its support people. */
  requestId?: string;
  durationMs: number;
  /** HTTP status, where there is one. */
  status?: number;
}
