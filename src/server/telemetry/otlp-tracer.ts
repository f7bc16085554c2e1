import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type IdGenerator } from '@opentelemetry/sdk-trace-base';
import type { Observer } from '../../domain/observability/observer.js';
import type { Redactor } from '../../domain/redact.js';
import type { SpanRecord, Tracer } from './tracing.js';

const KINDS: Record<SpanRecord['kind'], SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Our ids are made of what is stored; the library asks for the next one while a span is started. */
class GivenIds implements IdGenerator {
  traceId = '';
  spanId = '';
  generateTraceId = () => this.traceId;
  generateSpanId = () => this.spanId;
}

/** Opens the exporter; see createTracer. */
export function openTracer(options: {
  service: string;
  version: string;
  redactor: Redactor;
  observer: Observer;
}): Tracer {
  const ids = new GivenIds();
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    resource: resourceFromAttributes({
      'service.name': 'pao',
      'service.version': options.version,
      'service.instance.id': options.service,
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter(), { scheduledDelayMillis: 1000 })],
  });
  const tracer = provider.getTracer('pao', options.version);
  return {
    span(record) {
      const clean = options.redactor.redact(record);
      if (clean !== record) options.observer.add('secret_redactions_total', { sink: 'trace' });
      ids.traceId = clean.traceId;
      ids.spanId = clean.spanId;
      const { parentSpanId, traceState = null } = clean;
      const parent =
        parentSpanId === null
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId: clean.traceId,
              spanId: parentSpanId,
              traceFlags: TraceFlags.SAMPLED,
              isRemote: true,
              ...(traceState === null ? {} : { traceState: createTraceState(traceState) }),
            });
      const span = tracer.startSpan(
        clean.name,
        { kind: KINDS[clean.kind], startTime: clean.start, attributes: clean.attributes },
        parent,
      );
      if (clean.error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: clean.error });
      span.end(Math.max(clean.end, clean.start));
    },
    close: () => provider.shutdown(),
  };
}
