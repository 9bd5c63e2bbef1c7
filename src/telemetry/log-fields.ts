import { pino } from 'pino';

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

/** The fields of a line under the names above; an error as its stack, its code and its facts. */
export function renamed({ err, ...fields }: Record<string, unknown>): Record<string, unknown> {
  const named = Object.fromEntries(Object.entries(fields).map(([name, value]) => [logNames[name] ?? name, value]));
  return err === undefined ? named : { ...ofError(err), ...named };
}

function ofError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { exception: String(error) };
  const { code, fields } = error as { code?: unknown; fields?: Readonly<Record<string, unknown>> };
  return {
    ...(typeof code === 'string' ? { code } : {}),
    ...(fields !== undefined && Object.keys(fields).length > 0 ? { fields } : {}),
    // With its causes.
    exception: pino.stdSerializers.err(error).stack,
  };
}
