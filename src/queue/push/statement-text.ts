import { type QueueItem, priorityOf } from './push-statement.ts';
import { statement } from '../../postgres/pool.ts';

export interface PushSettings {
  readonly scheduler: string;
  readonly type: string;
  readonly maxSize: number;
  readonly answersTasks: boolean;
}

/** An item, where it stands in the set, and its rank. */
export interface RankedItem {
  readonly row: QueueItem;
  readonly n: number;
  readonly rank: number;
}

/** push.sql for these items. Their data are lines, since JSON has no raw line break. */
export function pushStatement(
  items: readonly RankedItem[],
  { scheduler, type, maxSize, answersTasks }: PushSettings,
): { text: string; values: readonly unknown[] } {
  const columns = items.map(({ row, n, rank }) => ({ ...row, data: undefined, n, rank, priority: priorityOf(rank) }));
  const data = items.map(({ row }) => JSON.stringify(row.data)).join('\n');
  return {
    text: textOf(items.some(({ row }) => row.recurrence !== undefined)),
    values: [scheduler, type, JSON.stringify(columns), data, maxSize, answersTasks],
  };
}

function textOf(withSchedules: boolean): string {
  const known = texts.get(withSchedules);
  if (known !== undefined) return known;
  const schedules = withSchedules ? statement('push/push-schedules').trimEnd() : noSchedules;
  const text = statement('push/push').replace('{schedules}', () => schedules);
  texts.set(withSchedules, text);
  return text;
}

const texts = new Map<boolean, string>();

const noSchedules = `scheduled AS MATERIALIZED (
  SELECT NULL::uuid AS id, NULL::text AS hash, false AS corrects, false AS inherited WHERE false
),`;
