import { randomBytes } from 'node:crypto';

/** Where in a trace something happens (W3C Trace Context). */
export interface TraceContext {
  /** 32 hex digits. */
  traceId: string;
  /** 16 hex digits. */
  spanId: string;
  /** The span this one is part of; null for the first. */
  parentSpanId: string | null;
  /** What other systems keep in the trace (`tracestate`), passed on as it came; null when there is none. */
  state: string | null;
}

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;

/**
 * Reads a `traceparent` header (W3C Trace Context, version 00: 55 characters, ids not all zero).
 * @returns null when there is none or it is not valid; a new trace is begun then, as the specification says.
 */
export function parseTraceparent(header: unknown): { traceId: string; spanId: string } | null {
  if (typeof header !== 'string') return null;
  const [, traceId, spanId] = TRACEPARENT.exec(header) ?? [];
  if (traceId === undefined || spanId === undefined || /^0+$/.test(traceId) || /^0+$/.test(spanId))
    return null;
  return { traceId, spanId };
}

/** The header that hands a span on as the parent of what follows. */
export const traceparentOf = (traceId: string, spanId: string): string => `00-${traceId}-${spanId}-01`;

const STATE_MEMBER =
  /^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * Reads a `tracestate` header (W3C Trace Context: 32 members at most; the 512 characters that everybody must pass on).
 * @returns null when there is none or it is not valid: it is left out then, and the trace goes on.
 */
export function parseTracestate(header: unknown): string | null {
  if (typeof header !== 'string') return null;
  const members = header
    .split(',')
    .map((member) => member.trim())
    .filter((member) => member !== '');
  const text = members.join(',');
  const isValid =
    members.length <= 32 && text.length <= 512 && members.every((one) => STATE_MEMBER.test(one));
  return isValid && text !== '' ? text : null;
}

/** Continues the trace of a request, or begins one. @param state its `tracestate`, of use with a valid header alone. */
export function traceOfRequest(header: unknown, state?: unknown): TraceContext {
  const given = parseTraceparent(header);
  const ids = randomBytes(24).toString('hex');
  return {
    traceId: given?.traceId ?? ids.slice(0, 32),
    spanId: ids.slice(32),
    parentSpanId: given?.spanId ?? null,
    state: given === null ? null : parseTracestate(state),
  };
}

/** What a run or event stores of the trace it belongs to: the id, and after a space the state that came with it. */
export const storedTrace = ({ traceId, state }: Pick<TraceContext, 'traceId' | 'state'>): string =>
  state === null ? traceId : `${traceId} ${state}`;

/** The trace a run belongs to: the one it was asked for in, else one of its own, told by its id (a UUID of 32 hex digits). */
export const traceIdOf = (run: { id: string; traceId: string | null }): string =>
  run.traceId?.slice(0, 32) ?? run.id.slice(4);

/** The `tracestate` that goes on with a run; null when there is none. */
export const traceStateOf = (run: { traceId: string | null }): string | null =>
  run.traceId?.slice(33) || null;

/**
 * The span id of a part of a run or event, the same for whoever computes it: the process that writes a span and the one
 * that names it as a parent need not speak to each other, and what is stored is enough to draw the trace.
 * FNV-1a with two offsets, 32 bits each.
 */
export function spanIdFor(id: string, part: string): string {
  let high = 0x811c9dc5;
  let low = 0x01234567;
  const text = `${id}/${part}`;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    high = Math.imul(high ^ code, 0x01000193);
    low = Math.imul(low ^ code, 0x01000193) ^ (low >>> 15);
  }
  const hex = (value: number) => (value >>> 0).toString(16).padStart(8, '0');
  // All zero is no span id.
  return high === 0 && low === 0 ? '0000000000000001' : hex(high) + hex(low);
}

/** The parts of a run that have a span of their own. */
export const SPAN = {
  /** The request that asked for it, by the id of what it made. */
  request: 'request',
  enqueue: 'enqueue',
  /** By the token of the lease: a run that waited is leased again in the same attempt. */
  lease: (token: number) => `lease/${token}`,
  run: (token: number) => `run/${token}`,
  step: (stepId: string, attempt: number) => `step/${stepId}/${attempt}`,
  call: (stepId: string, attempt: number) => `call/${stepId}/${attempt}`,
} as const;
