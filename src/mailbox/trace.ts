import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

const traces = new AsyncLocalStorage<string>();

/** W3C traceparent of what runs now, or '' outside of any trace. */
export function currentTrace(): string {
  return traces.getStore() ?? '';
}

/** Runs `work`, and all that it awaits, in that trace; '' starts a new one. */
export function inTrace<T>(trace: string, work: () => T): T {
  return traces.run(trace === '' ? newTrace() : trace, work);
}

/** A traceparent of a new trace, marked as sampled. */
export function newTrace(): string {
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
