import { type DestinationStream, pino, type LogFn, type Logger } from 'pino';
import pretty from 'pino-pretty';
import { contextOf, currentTrace } from '../mailbox/trace.ts';
import { codeOf, isOutage } from '../errors.ts';
import { oneLine } from '../printable.ts';
import { readableLine } from './log-line.ts';

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
 * Names of our words in log lines: mula's, where it has one, so that filters and dashboards over KAT's logs find ours.
 * docs/logs.md lists them. What is not in here keeps its name.
 */
export const logNames: Readonly<Record<string, string>> = {
  scheduler: 'scheduler_id',
  // An actor has its scheduler's name.
  actor: 'scheduler_id',
  organisation: 'organisation_id',
  task: 'task_id',
  hash: 'task_hash',
  schedule: 'schedule_id',
  boefje: 'boefje_id',
  normalizer: 'normalizer_id',
  ooi: 'ooi_primary_key',
  rawFile: 'raw_data_id',
};

/** mula's words for levels that pino calls otherwise. */
const levels: Readonly<Record<string, string>> = { warn: 'warning', fatal: 'critical' };

function levelName(label: string): string {
  return levels[label] ?? label;
}

/** The fields of a line under the names above; an error or failure as its code, its sentence and its facts, a bug as its stack. */
function renamed({ err, failure = err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const named = Object.fromEntries(Object.entries(fields).map(([name, value]) => [logNames[name] ?? name, value]));
  return failure === undefined ? named : { ...ofFailure(failure), ...named };
}

function ofFailure(failure: unknown): Record<string, unknown> {
  const { code, message, fields } = (failure ?? {}) as { code?: unknown; message?: unknown; fields?: object };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(fields !== undefined && Object.keys(fields).length > 0 ? { fields } : {}),
    // Only a bug is told with its stack and its causes: of anything else the sentence says what to do.
    ...(codeOf(failure) === 'BROKEN' ? { exception: stackOf(failure) } : { reason: message }),
  };
}

function stackOf(failure: unknown): string {
  if (failure instanceof Error) return pino.stdSerializers.err(failure).stack;
  const { message } = (failure ?? {}) as { message?: unknown };
  return String(message ?? failure);
}

/** At most so often as a warning: pushes come by the thousand a second, and each may meet the same refusal. */
const everyMs = 60_000;

/**
 * What becomes of a line that tells of a failure (its field `err` or `failure`): at debug for what is away, since
 * outages.ts tells of that once for all; else the first at once, then one a minute of the same words, with how many there
 * were. A bug is always told.
 */
function createFailureLines(now: () => number = () => performance.now()) {
  const told = new Map<string, { at: number; count: number }>();
  /** @returns the fields to add, or null where the line goes to debug. */
  return (fields: unknown, message: unknown): Readonly<Record<string, unknown>> | null => {
    const { err, failure = err } = (fields ?? {}) as { err?: unknown; failure?: unknown };
    if (failure === undefined) return {};
    if (isOutage(failure)) return null;
    const { code } = failure as { code?: unknown };
    if (typeof code !== 'string' || code === 'BROKEN') return {};
    const key = `${String(message)} ${code}`;
    const last = told.get(key);
    if (last !== undefined && now() - last.at < everyMs) {
      last.count += 1;
      return null;
    }
    told.set(key, { at: now(), count: 0 });
    return last === undefined || last.count === 0 ? {} : { count: last.count + 1 };
  };
}
