import { contextOf, currentTrace, inTrace, partOf } from '../mailbox/trace.ts';
import { emit, type EndedSpan, isHeard, type SpanAttributes, type SpanKind } from './events.ts';

export interface SpanOptions {
  /** `internal` where absent. */
  readonly kind?: SpanKind;
  /** Traceparent that it is part of; what runs now where absent. What is no traceparent begins a new trace. */
  readonly parent?: string;
  readonly links?: readonly string[];
  readonly attributes?: SpanAttributes;
}

/** Whether anybody follows spans: nothing is kept of them otherwise. */
export function spansAreFollowed(): boolean {
  return isHeard('spans.ended');
}

/** Null where nobody follows spans. One that is never ended leaves nothing behind. */
export function startSpan(name: string, options: SpanOptions = {}): Span | null {
  return spansAreFollowed() ? new Span(name, options) : null;
}

/** Runs `work` as a span; it fails with whatever `work` throws. */
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
  /** Its own traceparent, for whatever becomes a part of it. */
  readonly trace: string;
  readonly #name: string;
  readonly #options: SpanOptions;
  readonly #parent: string;
  // The wall clock is the same in all threads, the monotonic one is not: it only measures.
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

  /** @param failure whatever was thrown, or a Failure: its `code` is kept, its message is not. */
  fail(failure: unknown): void {
    const code = (failure as { code?: unknown } | null)?.code;
    this.#failure = typeof code === 'string' ? code : 'BROKEN';
  }

  /** Once; what comes after is ignored. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    tell({
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
 * Where a span of `trace` stands: under what runs now where that is of the same trace, otherwise under `trace` itself,
 * linked to what runs now. docs/tracing.md, "Sets and traces".
 */
export function placeOf(trace: string, now: string = currentTrace()): { parent: string; links: readonly string[] } {
  const running = contextOf(now);
  if (running === null) return { parent: trace, links: [] };
  return running.traceId === contextOf(trace)?.traceId ? { parent: now, links: [] } : { parent: trace, links: [now] };
}

/** One event a turn of the event loop, not one a span: a push of a thousand tasks ends a thousand at once. */
function tell(span: EndedSpan): void {
  if (ended.push(span) > 1) return;
  setImmediate(() => emit({ name: 'spans.ended', spans: ended.splice(0) }));
}

const ended: EndedSpan[] = [];
