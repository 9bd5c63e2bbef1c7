import type { NewTask } from '../../protocol/requests.ts';
import type { TaskData } from '../../tasks/task.ts';

/** A task that comes as the days go by. */
export interface MadeTask {
  readonly organisation: string;
  readonly plugin: string | null;
  readonly image: string | null;
  readonly ooi: string | null;
  readonly hash: string;
  readonly manual: boolean;
  /** Epoch milliseconds; null: not known. */
  readonly lastRunAt: number | null;
}

/** Within a moment that settles promises (VirtualClock). */
export type Push = (scheduler: string, made: readonly MadeTask[]) => void;

/** With as much data as decides who runs it when. */
export function taskOf(type: string, made: MadeTask, occurredAt: number): NewTask {
  const { organisation, plugin, image, ooi, hash, manual, lastRunAt } = made;
  const data = dataOf(type, plugin, image, ooi);
  return {
    organisation,
    hash,
    checked: true,
    recurrence: 'none',
    data,
    occurredAt,
    ...(lastRunAt === null ? {} : { lastRunAt }),
    ...(manual ? { priority: 1 } : {}),
  };
}

function dataOf(type: string, plugin: string | null, image: string | null, ooi: string | null): TaskData {
  if (type === 'boefje') return { boefje: { id: plugin, oci_image: image }, input_ooi: ooi, deduplication_key: null };
  if (type === 'normalizer') return { normalizer: { id: plugin }, input_ooi: ooi };
  return { report_recipe_id: plugin, input_ooi: ooi };
}
