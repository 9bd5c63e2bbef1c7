import { AsyncLocalStorage } from 'node:async_hooks';
import { chance } from '../time-and-chance.ts';

/** Header of HTTP, NATS and AMQP with the W3C trace context of who sends. */
export const traceHeader = 'traceparent';

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
  return `00-${chance.hex(16)}-${newSpanId()}-01`;
}

/** A traceparent for a part of `trace`, with its flags; of a new trace where that is no traceparent. */
export function partOf(trace: string): string {
  const context = contextOf(trace);
  return context === null ? newTrace() : `00-${context.traceId}-${newSpanId()}-${context.sampled ? '01' : '00'}`;
}

interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits. */
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Null for what is no traceparent. W3C Trace Context §3.2: ids are not all zero, only later versions have more fields. */
export function contextOf(trace: string): TraceContext | null {
  const fields = traceparent.exec(trace)?.groups;
  if (fields === undefined) return null;
  const { traceId, spanId, flags } = fields as { traceId: string; spanId: string; flags: string };
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

const traceparent =
  /^(?!ff)(?:00(?=.{53}$)|(?!00)[0-9a-f]{2})-(?!0{32})(?<traceId>[0-9a-f]{32})-(?!0{16})(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?=-|$)/;

function newSpanId(): string {
  return chance.hex(8);
}
