import { onTestFinished } from 'vitest';
import { on } from '../../src/telemetry/events.ts';
import type { EndedSpan } from '../../src/telemetry/spans.ts';

/** Follows spans until the test ends. @returns those that have ended so far, once this turn of the event loop is over */
export function followSpans(): () => Promise<readonly EndedSpan[]> {
  const ended: EndedSpan[] = [];
  onTestFinished(on('spans.ended', ({ spans }) => void ended.push(...spans)));
  return async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return ended;
  };
}
