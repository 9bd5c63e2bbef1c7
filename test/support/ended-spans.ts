import { onTestFinished } from 'vitest';
import { type EndedSpan, on } from '../../src/telemetry/events.ts';

/** Follows spans until the test ends. @returns those that have ended so far, once this turn of the event loop is over */
export function followSpans(): () => Promise<readonly EndedSpan[]> {
  const ended: EndedSpan[] = [];
  onTestFinished(on('spans.ended', ({ spans }) => void ended.push(...spans)));
  return async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return ended;
  };
}
