import type { Observer } from '../../domain/observability/observer.js';
import type { Redactor } from '../../domain/redact.js';

/** One finished span; times are epoch milliseconds. */
export interface SpanRecord {
  name: string;
  kind: 'internal' | 'server' | 'client' | 'producer' | 'consumer';
  traceId: string;
  spanId: string;
  parentSpanId: string | null;
  /** `tracestate` of the trace, when it came with one. */
  traceState?: string | null;
  start: number;
  end: number;
  attributes: Record<string, string | number | boolean>;
  /** What went wrong. */
  error?: string;
}

/** Takes spans that have ended; sends them in batches, and never makes its caller wait. */
export interface Tracer {
  span(record: SpanRecord): void;
  /** Sends what is left. */
  close(): Promise<void>;
}

/**
 * Exports spans over OTLP/HTTP when `OTEL_EXPORTER_OTLP_ENDPOINT` (or its `_TRACES_` form) is set; the other variables of
 * the OpenTelemetry specification (headers, timeout, compression, OTEL_TRACES_SAMPLER) are read by its library.
 * @returns null, and loads nothing, when no endpoint is set.
 */
export async function createTracer(options: {
  service: string;
  version: string;
  env: Readonly<Record<string, string | undefined>>;
  redactor: Redactor;
  observer: Observer;
}): Promise<Tracer | null> {
  const { env } = options;
  const isSet = (name: string) => (env[name] ?? '').trim() !== '';
  if (env['OTEL_SDK_DISABLED'] === 'true') return null;
  if (!isSet('OTEL_EXPORTER_OTLP_ENDPOINT') && !isSet('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT')) return null;
  const { openTracer } = await import('./otlp-tracer.js');
  return openTracer(options);
}
