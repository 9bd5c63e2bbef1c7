import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { contextOf, currentTrace } from '../mailbox/trace.ts';

export type { Logger };

/** Field names that may carry a secret, wherever they stand. */
const secret = [
  'password',
  'token',
  'settings',
  'environment',
  'authorization',
  '*.password',
  '*.token',
  '*.settings',
  '*.environment',
  '*.authorization',
];

/**
 * One line per life-cycle step at info, one per decision at debug. Synchronous: a thread that is terminated or a process
 * that exits loses no line, and pino's own transports would start a thread per thread.
 */
export function createLog(options: {
  format: 'text' | 'json';
  debug: boolean;
  /** Lines carry the `trace_id` of what they are written in, with `debug`. */
  traces?: boolean;
  bindings?: Record<string, unknown>;
}): Logger {
  const settings = {
    level: options.debug ? 'debug' : 'info',
    base: options.bindings ?? null,
    ...(options.debug && options.traces === true ? { mixin: traceId } : {}),
    redact: { paths: secret, censor: '<redacted>' },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (options.format === 'json') return pino(settings, pino.destination({ fd: 2, sync: true }));
  return pino(
    settings,
    pretty({ colorize: process.stderr.isTTY, destination: 2, sync: true, ignore: 'pid,hostname', singleLine: true }),
  );
}

function traceId(): { trace_id?: string } {
  const context = contextOf(currentTrace());
  return context === null ? {} : { trace_id: context.traceId };
}
