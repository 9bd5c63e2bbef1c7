import type { ReceivedSpan } from './otlp-collector.ts';

/** The spans below one, a line each, indented by their depth; those beside each other in the order of their names. */
export function treeOf(spans: readonly ReceivedSpan[], parentId: string, depth = 0): readonly string[] {
  return spans
    .filter((span) => span.parentId === parentId)
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .flatMap((span) => ['  '.repeat(depth) + span.name, ...treeOf(spans, span.spanId, depth + 1)]);
}
