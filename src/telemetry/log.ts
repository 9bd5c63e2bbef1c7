import { type DestinationStream, pino, type LogFn, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { isOutage } from '../errors.ts';
import { contextOf, currentTrace } from '../mailbox/trace.ts';
import { oneLine } from '../printable.ts';
import { levelName, readableLine, renamed } from './log-line.ts';

export type { Logger };

/** Fields that may carry a secret. */
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
 * One line per life-cycle step at info, one per decision at debug; docs/logs.md. Writes synchronously: a terminated thread or
 * an exiting process loses no line, and pino's transports would start one more thread per thread.
 */
export function createLog(options: {
  format: 'text' | 'json';
  debug: boolean;
  /** Name of the logger, behind `rota.`. */
  of?: string;
  /** With `debug`, lines carry the `trace_id` of the current trace. */
  traces?: boolean;
  bindings?: Record<string, unknown>;
  /** Standard error by default. */
  to?: DestinationStream;
}): Logger {
  const { format, of, bindings = {}, to } = options;
  const json = format === 'json';
  const failureLines = createFailureLines();
  const settings = {
    level: options.debug ? 'debug' : 'info',
    base: { ...(json ? { logger: of === undefined ? 'rota' : `rota.${of}` } : {}), ...renamed(bindings) },
    messageKey: 'event',
    ...(options.debug && options.traces === true ? { mixin: traceId } : {}),
    redact: { paths: secret, censor: '<redacted>' },
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: json ? levelName(label) : label }), log: renamed },
    hooks: {
      streamWrite: (line: string) => readableLine(line, !json),
      logMethod(this: Logger, args: Parameters<LogFn>, method: LogFn, level: number) {
        const [fields, text] = args;
        const message = text === undefined ? text : oneLine(text);
        const more = level <= debugLevel ? {} : failureLines(fields, message);
        if (more === null) this.debug(fields, message);
        else method.call(this, { ...(fields as object), ...more }, message);
      },
    },
  };
  if (json) return pino(settings, to ?? standardError());
  return pino(
    settings,
    pretty({
      // By the terminal, TERM=dumb, NO_COLOR and FORCE_COLOR.
      colorize: to === undefined && process.stderr.isTTY && process.stderr.hasColors(),
      destination: (to as NodeJS.WritableStream | undefined) ?? standardError(),
      messageKey: 'event',
      timestampKey: 'timestamp',
      // Keep date and zone: the default prints a time of day without its zone.
      translateTime: false,
      errorLikeObjectKeys: ['exception'],
      singleLine: true,
    }),
  );
}

const debugLevel = pino.levels.values['debug']!;

/** A closed terminal, or `| head`, takes no more lines; that must not end the supervisor. */
function standardError() {
  const destination = pino.destination({ fd: 2, sync: true });
  destination.on('error', () => {});
  return destination;
}

function traceId(): { trace_id?: string } {
  const context = contextOf(currentTrace());
  return context === null ? {} : { trace_id: context.traceId };
}

/**
 * Limits the lines about a failure (field `err` or `failure`). One caused by an outage goes to debug: src/observation/logging.ts
 * logs the outage itself. Of the others, a message and code is written at once and then once a minute with a `count`, since
 * thousands of pushes a second may meet the same refusal. Bugs are always written.
 */
function createFailureLines() {
  const kinds = new Map<string, () => number | null>();
  /** @returns the fields to add, or null where the line goes to debug. */
  return (fields: unknown, message: unknown): Readonly<Record<string, unknown>> | null => {
    const { err, failure = err } = (fields ?? {}) as { err?: unknown; failure?: unknown };
    if (failure === undefined) return {};
    if (isOutage(failure)) return null;
    const { code } = failure as { code?: unknown };
    if (typeof code !== 'string' || code === 'BROKEN') return {};
    const key = `${String(message)} ${code}`;
    const due = kinds.get(key) ?? onceAMinute();
    kinds.set(key, due);
    const count = due();
    if (count === null) return null;
    return count === 1 ? {} : { count };
  };
}

/**
 * Counts the calls of the function that it returns.
 *
 * @returns null within a minute of the last line, otherwise the number of calls since that line, this one included.
 */
export function onceAMinute(): () => number | null {
  let [count, writtenAt] = [0, Number.NEGATIVE_INFINITY];
  return () => {
    count += 1;
    const now = performance.now();
    if (now - writtenAt < 60_000) return null;
    const happened = count;
    [count, writtenAt] = [0, now];
    return happened;
  };
}
