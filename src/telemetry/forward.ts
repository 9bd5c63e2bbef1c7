import { on, type RotaEvent } from './events.ts';

/** What happens in a scheduler's own thread. */
const happensInThreads = [
  'tasks.refused',
  'events.committed',
  'event.dead-lettered',
  'source.connected',
  'source.declared',
  'source.lost',
  'part.failed',
  'part.answered',
  'circuit.changed',
] as const satisfies readonly RotaEvent['name'][];

/**
 * Hands every event that this thread emits to `send`, which takes it to the main thread to be emitted there. Spans only
 * where they are followed there: nobody follows them here.
 */
export function forwardEvents(send: (event: RotaEvent) => void, { spans }: { spans: boolean }): void {
  for (const name of happensInThreads) on(name, send);
  if (spans) on('spans.ended', send);
}
