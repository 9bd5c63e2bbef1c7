import {
  type Link,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  diag,
  DiagLogLevel,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace';
import { within } from '../deadline.ts';
import { contextOf } from '../mailbox/trace.ts';
import { type EndedSpan, on } from '../telemetry/events.ts';
import { type Logger, onceAMinute } from '../telemetry/log.ts';
import { placeOf, startSpan } from '../telemetry/spans.ts';

interface ExportOptions {
  /** http://host:port or https://host:port. */
  readonly endpoint: string;
  readonly version: string;
  /** Id of this supervisor. */
  readonly instance: string;
  readonly log: Pick<Logger, 'warn'>;
  /** How long the end waits for the remaining spans. */
  readonly flushWithinMs?: number;
}

/** Of about 500 bytes each. A push of a thousand tasks ends a thousand spans at once; the library's 2048 would hold two such. */
const mostWaiting = 16_384;
const exportWithinMs = 5_000;

/**
 * Exports every span that ends in this process. The only module that loads OpenTelemetry: import it only if traces are
 * exported.
 *
 * @returns a function that flushes and ends it. Never rejects.
 */
export function exportSpans(options: ExportOptions): () => Promise<void> {
  const { endpoint, version, instance, log, flushWithinMs = 3_000 } = options;
  const due = onceAMinute();
  const trouble = (message: string) => {
    const count = due();
    if (count !== null)
      log.warn({ variable: 'SPAN_EXPORT_GRPC_ENDPOINT', reason: message, count }, 'traces are not exported');
  };
  // The processor reports dropped spans only as a warning; its errors are those of the exporter, which are reported below.
  const silent = () => undefined;
  const logger = { error: silent, warn: trouble, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const resource = resourceFromAttributes({
    'service.name': 'mula',
    'service.version': version,
    'service.instance.id': instance,
  });
  const exporter = new OTLPTraceExporter({ url: endpoint, timeoutMillis: exportWithinMs });
  const processor = new BatchSpanProcessor({
    exporter: tellingFailures(exporter, trouble),
    maxQueueSize: mostWaiting,
  });
  const ends = [
    followTaskChanges(),
    on('spans.ended', ({ spans }) => {
      for (const span of spans) processor.onEnd(readable(span, resource, version));
    }),
  ];
  return async () => {
    // The spans that ended in this turn of the event loop are emitted in the next.
    await new Promise((resolve) => setImmediate(resolve));
    for (const end of ends) end();
    await within(processor.shutdown(), flushWithinMs).catch(silent);
    // If that took too long or failed, the connection is still open.
    await within(exporter.shutdown(), flushWithinMs).catch(silent);
    diag.disable();
  };
}

/** Adds a span without duration to a task's trace for each change of its status, by a worker, a person or the sweeper. */
function followTaskChanges(): () => void {
  return on('tasks.changed', ({ scheduler, status, reason, traced = [] }) => {
    for (const { id, organisation, trace, by } of traced) {
      const attributes = {
        'rota.scheduler': scheduler,
        'rota.organisation': organisation,
        'rota.task.id': id,
        ...(reason === null ? {} : { 'rota.reason': reason }),
      };
      startSpan(`task.${status}`, { ...placeOf(trace, by), attributes })?.end();
    }
  });
}

function tellingFailures(exporter: SpanExporter, trouble: (message: string) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) trouble(result.error.message);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
}

/** The form that OpenTelemetry's processors take. */
function readable(span: EndedSpan, resource: Resource, version: string): ReadableSpan {
  const context = spanContext(span.trace);
  const parent = span.parent === '' ? {} : { parentSpanContext: spanContext(span.parent) };
  return {
    name: span.name,
    kind: kinds[span.kind],
    spanContext: () => context,
    ...parent,
    startTime: hrTime(span.startedAt),
    endTime: hrTime(span.endedAt),
    duration: hrTime(span.endedAt - span.startedAt),
    ended: true,
    status: { code: span.failure === null ? SpanStatusCode.UNSET : SpanStatusCode.ERROR },
    attributes: span.failure === null ? span.attributes : { ...span.attributes, 'error.type': span.failure },
    links: span.links.map((link): Link => ({ context: spanContext(link) })),
    events: [],
    resource,
    instrumentationScope: { name: 'rota', version },
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}

const kinds = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

function spanContext(trace: string): SpanContext {
  const { traceId, spanId, sampled } = contextOf(trace)!;
  return { traceId, spanId, traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE };
}

/** Seconds and nanoseconds. */
function hrTime(ms: number): [number, number] {
  const seconds = Math.floor(ms / 1_000);
  return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}
