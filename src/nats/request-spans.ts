import { inTrace } from '../mailbox/trace.ts';
import type { SpanAttributes } from '../telemetry/events.ts';
import { startSpan } from '../telemetry/spans.ts';
import { resultsText } from './replies.ts';

/** Header of a message with its sender's W3C trace context. */
export const traceHeader = 'traceparent';

const nothing = resultsText([]);

/**
 * Answers a request as a span of the requester's trace ('' where it has none). A pop that hands out nothing leaves no span:
 * workers wait all day.
 */
export async function answerInSpan(
  name: string,
  trace: string,
  attributes: SpanAttributes,
  answer: () => Promise<string>,
): Promise<string> {
  const span = startSpan(name, { kind: 'server', parent: trace, attributes });
  if (span === null) return answer();
  try {
    const text = await inTrace(span.trace, answer);
    if (text !== nothing) span.end();
    return text;
  } catch (error) {
    span.fail(error);
    span.end();
    throw error;
  }
}
