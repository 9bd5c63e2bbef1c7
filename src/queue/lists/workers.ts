import { queryByKey, type Sql, statement } from '../../postgres/pool.ts';
import type { OperatorAnswers } from '../../protocol/operator.ts';
import type { AskedImage, WorkerView } from '../../protocol/operator-status.ts';
import { readQueueBy } from '../maintenance/counts.ts';

/** Leases that are read: those that end first. */
const leasesAtMost = 10_000;
/** Of an answer, which is one message of NATS. */
const rowsAtMost = 200;
/** Rows of image_pops: five minutes of 14 images and two supervisors. */
const popsAtMost = 10_000;
const popsOfImageAtMost = 100;

interface WorkerRow {
  readonly worker: string | null;
  readonly holder: string | null;
  readonly via: 'nats' | 'rest';
  readonly scheduler: string;
  readonly holds: number;
  readonly begun: number;
  readonly oldest_ms: number;
  readonly until_ms: number;
  readonly leases: number;
  readonly workers: number;
}

export async function readWorkers(sql: Sql): Promise<OperatorAnswers['workers']> {
  const rows = await queryByKey<WorkerRow>(sql, statement('lists/workers'), [leasesAtMost, rowsAtMost]);
  const { leases = 0, workers = 0 } = rows[0] ?? {};
  return {
    results: rows.map(({ worker, holder, via, scheduler, holds, begun, oldest_ms, until_ms }): WorkerView => ({
      worker: worker ?? holder,
      via,
      scheduler,
      holds,
      begun,
      oldest_at: isoOf(oldest_ms)!,
      first_ends_at: isoOf(until_ms)!,
    })),
    leases,
    leases_is_least: leases >= leasesAtMost,
    others: workers - rows.length,
  };
}

interface AskedRow {
  readonly scheduler: string;
  readonly image: string;
  readonly asked_ms: number;
}

/** What pops asked for lately, and what is queued of each image: 100 queued ones of each scheduler, 200 asked ones of all. */
export async function readDemand(sql: Sql, schedulers: readonly string[]): Promise<OperatorAnswers['demand']> {
  const [asked, ...queued] = await Promise.all([
    queryByKey<AskedRow>(sql, statement('lists/images-asked'), [schedulers, popsAtMost, rowsAtMost]),
    ...schedulers.map((scheduler) => readQueueBy(sql, scheduler, 'image')),
  ]);
  const parts = queued.flat();
  // One that is queued may have been asked for long ago, and '' stands for pops that name none.
  const wanted = [...parts.map(({ scheduler, name }) => ({ scheduler, name })), ...schedulers.map(anyOf)];
  const last = await queryByKey<{ readonly asked_ms: number | null }>(sql, statement('lists/images-last-asked'), [
    wanted.map(({ scheduler }) => scheduler),
    wanted.map(({ name }) => name),
    popsOfImageAtMost,
  ]);
  const known = new Set(parts.map(({ scheduler, name }) => `${scheduler} ${name}`));
  return {
    any_image: schedulers.map((scheduler, at) => ({
      scheduler,
      asked_at: isoOf(last[parts.length + at]!.asked_ms),
    })),
    images: [
      ...parts.map(({ scheduler, name, queued, queued_is_least, held, oldest_seconds }, at): AskedImage => {
        const asked_at = isoOf(last[at]!.asked_ms);
        return { scheduler, image: name, asked_at, queued, queued_is_least, held, oldest_seconds };
      }),
      ...asked
        .filter(({ scheduler, image }) => image !== '' && !known.has(`${scheduler} ${image}`))
        .map(({ scheduler, image, asked_ms }): AskedImage => {
          const nothing = { queued: 0, queued_is_least: false, held: 0, oldest_seconds: null };
          return { scheduler, image, asked_at: isoOf(asked_ms), ...nothing };
        }),
    ],
  };
}

function anyOf(scheduler: string) {
  return { scheduler, name: '' };
}

function isoOf(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
