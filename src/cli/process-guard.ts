import { emit, isHeard } from '../telemetry/events.ts';
import { write } from './terminal.ts';

/**
 * What no handler caught. A rejected promise without a handler concerns one piece of work: it is logged and counted, and the
 * process goes on, since one request must not end it for all others. An exception tore through a callback of the event loop,
 * and its state is in doubt: `inDoubt` ends the process in order. An actor's thread needs no guard: either ends
 * the thread alone, and the supervisor starts another.
 */
export function guardProcess(inDoubt: () => void): void {
  process.on('unhandledRejection', (error) => tell('rejection', error));
  process.on('uncaughtException', (error) => {
    tell('exception', error);
    inDoubt();
  });
}

function tell(kind: 'rejection' | 'exception', error: unknown): void {
  // Before there is a log, and after it.
  if (!isHeard('error.uncaught')) write(`${kind}: ${error instanceof Error ? error.stack : String(error)}\n`, 'err');
  emit({ name: 'error.uncaught', kind, error });
}
