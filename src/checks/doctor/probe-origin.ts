import type { DoctorContext } from './context.js';

const TIMEOUT_MS = 3000;

/** What a server said when it was knocked at. */
export interface OriginProbe {
  origin: string;
  status: number | null;
  /** Why nothing came back; null when something did, whatever it was. */
  error: string | null;
  /** How far its clock is ahead of ours by its Date header, milliseconds; null when it does not say. */
  skewMs: number | null;
  ms: number;
}

const probes = new WeakMap<DoctorContext, Promise<OriginProbe[]>>();

/** Asks each origin for its root, with nothing of ours in the request; once for all checks. */
export function probeOrigins(
  origins: readonly string[],
  context: DoctorContext,
  signal: AbortSignal,
): Promise<OriginProbe[]> {
  const known = probes.get(context);
  if (known !== undefined) return known;
  const probing = Promise.all(origins.map((origin) => probe(origin, context, signal)));
  probes.set(context, probing);
  return probing;
}

async function probe(origin: string, { place }: DoctorContext, signal: AbortSignal): Promise<OriginProbe> {
  const began = performance.now();
  const sent = place.now();
  const ms = () => Math.round(performance.now() - began);
  try {
    const response = await fetch(origin, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const date = Date.parse(response.headers.get('date') ?? '');
    const skewMs = Number.isNaN(date) ? null : date - sent;
    return { origin, status: response.status, error: null, skewMs, ms: ms() };
  } catch (error) {
    const { cause, name, message } = error as Error & { cause?: { code?: string; message?: string } };
    const why = name === 'TimeoutError' ? 'no answer in time' : (cause?.code ?? cause?.message ?? message);
    return { origin, status: null, error: why, skewMs: null, ms: ms() };
  }
}
