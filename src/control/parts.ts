import type { PartRate, QueuePartView } from '../protocol/operator-status.ts';
import type { QueuePart } from '../tasks/task.ts';
import { askEach, type OperatorClient } from './overview.ts';
import { partsAtMost } from '../tasks/limits.ts';

/** What is queued of one organisation, boefje or image, with what all supervisors did for it lately. */
export interface PartView extends QueuePartView {
  /** Over the last ten minutes; null where it is not told. */
  readonly failed: number | null;
}

export interface Parts {
  readonly results: readonly PartView[];
  /** Supervisors whose share of rates and failures is missing. */
  readonly unanswered: readonly string[];
}

/** Asks any supervisor what is queued, and each what it did lately. */
export async function partsOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  { scheduler, by }: { readonly scheduler: string | undefined; readonly by: QueuePart },
): Promise<Parts> {
  const of = scheduler === undefined ? {} : { scheduler };
  if (by === 'image') {
    const { results } = await client.ask('queue-by', { ...of, by });
    return { results: withRates(results, null), unanswered: [] };
  }
  const [queued, { answers, unanswered }] = await Promise.all([
    client.ask('queue-by', { ...of, by }),
    askEach(client, instances, 'queue-rates', { ...of, by }),
  ]);
  const rates = answers.map(({ results }) => results);
  return { results: withRates(queued.results, rates), unanswered: unanswered.map(({ instance }) => instance) };
}

/**
 * `queue-by` with the sums of `queue-rates` of each supervisor (none: of images). What is not queued and was handed out or failed
 * follows, where it is sure that none of it is queued.
 */
export function withRates(
  parts: readonly QueuePartView[],
  rates: readonly (readonly PartRate[])[] | null,
): readonly PartView[] {
  if (rates === null) return parts.map((part) => ({ ...part, failed: null }));
  const sums = new Map<string, PartRate>();
  for (const rate of rates.flat()) {
    const so = sums.get(keyOf(rate));
    const { per_second, failed } = so ?? { per_second: 0, failed: 0 };
    sums.set(keyOf(rate), { ...rate, per_second: per_second + rate.per_second, failed: failed + rate.failed });
  }
  const views = parts.map((part): PartView => {
    const known = sums.get(keyOf(part));
    // Among the others, a name may have any part of theirs.
    const none = sums.has(keyOf({ scheduler: part.scheduler, name: '' })) ? null : 0;
    return { ...part, per_second: known?.per_second ?? none, failed: known?.failed ?? none };
  });
  const queued = new Set(parts.map(keyOf));
  const counts = Map.groupBy(parts, ({ scheduler }) => scheduler);
  const others = [...sums.values()].filter(
    (rate) => rate.name !== '' && !queued.has(keyOf(rate)) && (counts.get(rate.scheduler)?.length ?? 0) < partsAtMost,
  );
  return [
    ...views,
    ...others
      .toSorted((a, b) => b.failed - a.failed || b.per_second - a.per_second)
      .map((rate) => ({
        ...rate,
        queued: 0,
        queued_is_least: false,
        held: 0,
        held_is_least: false,
        oldest_seconds: null,
      })),
  ];
}

function keyOf({ scheduler, name }: { readonly scheduler: string; readonly name: string }): string {
  return `${scheduler} ${name}`;
}
