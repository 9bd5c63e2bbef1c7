import { contextOf, currentTrace, inTrace, partOf } from '../mailbox/trace.ts';
import { emit, type EndedSpan, isHeard, type SpanAttributes, type SpanKind } from './events.ts';

interface SpanOptions {
  /** `internal` where absent. */
  readonly kind?: SpanKind;
  /** Traceparent of the parent; the current trace where absent. An invalid one begins a new trace. */
  readonly parent?: string;
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
}

/** Whether traces are exported. If not, no span is recorded. */
export function spansAreFollowed(): boolean {
  return isHeard('spans.ended');
}

/** Null unless traces are exported. A span that is never ended holds no resources. */
export function startSpan(name: string, options: SpanOptions = {}): Span | null {
  return spansAreFollowed() ? new Span(name, options) : null;
}

/** Runs `work` within a span, which fails when `work` throws. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span | null) => Promise<T>,
): Promise<T> {
  const span = startSpan(name, options);
  if (span === null) return work(null);
  try {
    return await inTrace(span.trace, () => work(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

export class Span {
  /** Its own traceparent: the parent of nested spans. */
  readonly trace: string;
  readonly #name: string;
  readonly #options: SpanOptions;
  readonly #parent: string;
  // All threads share the wall clock, which gives the start; the monotonic clock is per thread, and measures the duration.
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  #attributes: SpanAttributes;
  #failure: string | null = null;
  #ended = false;

  constructor(name: string, options: SpanOptions) {
    const parent = options.parent ?? currentTrace();
    this.#name = name;
    this.#options = options;
    this.#parent = contextOf(parent) === null ? '' : parent;
    this.#attributes = options.attributes ?? {};
    this.trace = partOf(this.#parent);
  }

  set(attributes: SpanAttributes): void {
    this.#attributes = { ...this.#attributes, ...attributes };
  }

  /** @param failure a thrown value or a Failure. Its `code` is kept; its message, which may hold a secret, is not. */
  fail(failure: unknown): void {
    const code = (failure as { code?: unknown } | null)?.code;
    this.#failure = typeof code === 'string' ? code : 'BROKEN';
  }

  /** Later calls do nothing. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    announce({
      name: this.#name,
      kind: this.#options.kind ?? 'internal',
      trace: this.trace,
      parent: this.#parent,
      links: this.#options.links ?? [],
      startedAt: this.#startedAt,
      endedAt: this.#startedAt + performance.now() - this.#started,
      attributes: this.#attributes,
      failure: this.#failure,
    });
  }
}

/**
 * The parent and links of a new span in `trace`. The current span becomes the parent if it is of the same trace, otherwise a
 * link. docs/tracing.md, "Sets and traces".
 */
export function placeOf(trace: string, now: string = currentTrace()): { parent: string; links: readonly string[] } {
  const running = contextOf(now);
  if (running === null) return { parent: trace, links: [] };
  return running.traceId === contextOf(trace)?.traceId ? { parent: now, links: [] } : { parent: trace, links: [now] };
}

/** Emits one event per turn of the event loop, not one per span: a push of a thousand tasks ends a thousand spans at once. */
function announce(span: EndedSpan): void {
  if (ended.push(span) > 1) return;
  setImmediate(() => emit({ name: 'spans.ended', spans: ended.splice(0) }));
}

const ended: EndedSpan[] = [];
