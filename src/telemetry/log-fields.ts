import { pino } from 'pino';
import { codeOf } from '../errors.ts';

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

export function levelName(label: string): string {
  return levels[label] ?? label;
}

/** The fields of a line under the names above; an error or failure as its code, its sentence and its facts, a bug as its stack. */
export function renamed({ err, failure = err, ...fields }: Record<string, unknown>): Record<string, unknown> {
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
