import { type DestinationStream, pino, type LogFn, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { isOutage } from '../errors.ts';
import { contextOf, currentTrace } from '../mailbox/trace.ts';
import { oneLine } from '../printable.ts';
import { levelName, readableLine, renamed } from './log-line.ts';

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
 * One line per life-cycle step at info, one per decision at debug; docs/logs.md. Synchronous: a thread that is terminated
 * or a process that exits loses no line, and pino's own transports would start a thread per thread.
 */
export function createLog(options: {
  format: 'text' | 'json';
  debug: boolean;
  /** Of what part of Rota this is the log; ends up behind `rota.`. */
  of?: string;
  /** Lines carry the `trace_id` of what they are written in, with `debug`. */
  traces?: boolean;
  bindings?: Record<string, unknown>;
  /** Standard error unless told otherwise. */
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
      colorize: to === undefined && process.stderr.isTTY,
      destination: (to as NodeJS.WritableStream | undefined) ?? standardError(),
      messageKey: 'event',
      timestampKey: 'timestamp',
      // As it is: date and zone. The default is a time of day that does not say where.
      translateTime: false,
      errorLikeObjectKeys: ['exception'],
      singleLine: true,
    }),
  );
}

const debugLevel = pino.levels.values['debug']!;

/** A terminal that was closed, or `| head`, takes no more lines: that ends no supervisor. */
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
 * Which lines about a failure (field `err` or `failure`) are written: what fails for lack of a part that is away goes to debug,
 * since the outage is logged once (src/observation/logging.ts); of other failures the first line, then one a minute of the same
 * message and code with a `count`: pushes come by the thousand a second, and each may meet the same refusal. A bug is always
 * written.
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
 * For what may happen any number of times a second: to be called each time.
 *
 * @returns null within a minute of the last line, otherwise how often it happened since that line, this time included.
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
