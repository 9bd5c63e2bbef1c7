import { fileURLToPath } from 'node:url';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  status,
  type handleUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A span as a collector receives it. Ids are hexadecimal; '' is none. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  /** As the protocol counts them: 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
}

export interface Collector {
  /** For SPAN_EXPORT_GRPC_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  /** Exports are refused from now on. */
  refuse(): void;
  /** How many exports it has refused. */
  refused(): number;
  stop(): void;
}

/** A collector of OTLP over gRPC, on a free port of this machine. */
export async function startCollector(): Promise<Collector> {
  const spans: ReceivedSpan[] = [];
  let [refusing, refused] = [false, 0];
  const server = new Server();
  const collect: handleUnaryCall<ExportRequest, object> = ({ request }, answer) => {
    if (refusing) {
      refused += 1;
      answer({ code: status.PERMISSION_DENIED, details: 'not here' });
      return;
    }
    spans.push(...request.resourceSpans.flatMap(received));
    answer(null, {});
  };
  server.addService(traceService(), { Export: collect });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    refuse: () => {
      refusing = true;
    },
    refused: () => refused,
    stop: () => server.forceShutdown(),
  };
}

interface KeyValue {
  readonly key: string;
  readonly value: { readonly value: string; readonly [kind: string]: unknown };
}

interface ExportRequest {
  readonly resourceSpans: readonly ResourceSpans[];
}

interface ResourceSpans {
  readonly resource: { readonly attributes: readonly KeyValue[] };
  readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
}

interface WireSpan {
  readonly traceId: Buffer;
  readonly spanId: Buffer;
  readonly parentSpanId: Buffer;
  readonly name: string;
  readonly kind: number;
  readonly attributes: readonly KeyValue[];
  readonly links: readonly { readonly traceId: Buffer; readonly spanId: Buffer }[];
  readonly status: { readonly code: number } | null;
}

function traceService(): ServiceDefinition {
  const path = fileURLToPath(new URL('otlp.proto', import.meta.url));
  const loaded = loadPackageDefinition(loadSync(path, { longs: Number, defaults: true, oneofs: true })) as unknown as {
    opentelemetry: { proto: { collector: { trace: { v1: { TraceService: { service: ServiceDefinition } } } } } };
  };
  return loaded.opentelemetry.proto.collector.trace.v1.TraceService.service;
}

function received({ resource, scopeSpans }: ResourceSpans): readonly ReceivedSpan[] {
  const service = String(recordOf(resource.attributes)['service.name']);
  return scopeSpans.flatMap(({ spans }) =>
    spans.map((span) => ({
      service,
      name: span.name,
      kind: span.kind,
      traceId: span.traceId.toString('hex'),
      spanId: span.spanId.toString('hex'),
      parentId: span.parentSpanId.toString('hex'),
      attributes: recordOf(span.attributes),
      links: span.links.map(({ traceId, spanId }) => ({
        traceId: traceId.toString('hex'),
        spanId: spanId.toString('hex'),
      })),
      failed: span.status?.code === 2,
    })),
  );
}

function recordOf(attributes: readonly KeyValue[]): Record<string, string | number> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value[value.value] as string | number]));
}
