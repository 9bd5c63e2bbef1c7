import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

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
  bindings?: Record<string, unknown>;
}): Logger {
  const settings = {
    level: options.debug ? 'debug' : 'info',
    base: options.bindings ?? null,
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
