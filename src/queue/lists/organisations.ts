import { queryByKey, type Sql, statement } from '../../postgres/pool.ts';
import type { StartEstimate } from '../../protocol/operator-lists.ts';
import type {
  DayView,
  FairShare,
  OrganisationDetails,
  OrganisationPage,
  OrganisationView,
  PausePreview,
  SampledPlugin,
} from '../../protocol/operator-organisations.ts';
import type { TaskStatus } from '../../tasks/task.ts';
import type { PauseKey } from '../maintenance/pauses.ts';
import { countedAtLook, type QueueSize, queueSizeOf } from './queue-size.ts';

/** Rows of roll-ups that are read of each scheduler: with thrice as many organisations as the largest installation has. */
const organisationsRead = 5_000;
/** Held rows that one page of organisations counts over all of them. */
const heldRead = 12_000;
/** Rows of one organisation and scheduler that are counted, held and not. */
const countedOfOne = 1_000;
/** Of the samples by plug-in, and tasks that are looked at for those that ended. */
const sampled = 1_000;
const lookedAt = 3_000;

/** A day of 300 organisations is 86 000 rows of the roll-up, which take 16 ms; of an hour so many organisations are told of. */
const dayRead = 200_000;
const toldOfHour = 30;

export interface OrganisationsRequest {
  readonly schedulers: readonly string[];
  readonly prefix: string;
  readonly limit: number;
  readonly offset: number;
}

/** Organisations as operators see them: bounded reads. */
export interface OrganisationLists {
  page(request: OrganisationsRequest): Promise<OrganisationPage>;
  details(organisation: string, schedulers: readonly string[]): Promise<OrganisationDetails>;
  /** Of all organisations, the last 24 hours. */
  day(schedulers: readonly string[]): Promise<DayView>;
  previewPause(key: PauseKey): Promise<PausePreview>;
}

/** @param start when a task is handed out */
export function createOrganisationLists(sql: Sql, start: (task: string) => Promise<StartEstimate>): OrganisationLists {
  const read = <Row extends object>(name: string, ...values: readonly unknown[]) =>
    queryByKey<Row>(sql, statement(`lists/${name}`), values);
  return {
    async page({ schedulers, prefix, limit, offset }) {
      const heldOfEach = Math.max(1, Math.min(1_000, Math.floor(heldRead / (Math.max(1, limit) * schedulers.length))));
      const values = [schedulers, prefix, limit, offset, organisationsRead, heldOfEach];
      const [row] = await read<{ count: number; queued: number; results: string }>('organisations', ...values);
      const rows = JSON.parse(row!.results) as readonly PageRow[];
      return {
        count: row!.count,
        count_is_least: row!.count >= organisationsRead,
        queued: row!.queued,
        results: [...Map.groupBy(rows, ({ organisation }) => organisation).values()].map((of) =>
          viewOf(of, heldOfEach),
        ),
      };
    },

    async details(organisation, schedulers) {
      const [queues, hours, plugins, known] = await Promise.all([
        read<InSchedulerRow>('organisation', schedulers, organisation, countedOfOne, organisationsRead),
        read<HourRow>('organisation-hours', schedulers, organisation),
        read<SampledPlugin>('organisation-plugins', schedulers, organisation, sampled, lookedAt),
        queryByKey<{ known: boolean }>(sql, statement('maintenance/knows-organisation'), [organisation]),
      ]);
      const starts = await Promise.all(queues.map(async ({ head }) => (head === null ? null : start(head))));
      return {
        organisation,
        known: known[0]!.known || queues.some(({ total }) => total > 0),
        schedulers: queues.map((row, at) => inScheduler(row, hours, starts[at]!)),
        hours: byHour(hours),
        plugins,
      };
    },

    async day(schedulers) {
      const rows = await read<DayRow>('day', schedulers, toldOfHour, dayRead);
      const hours = [...Map.groupBy(rows, ({ hour }) => hour)].map(([hour, of]) => ({
        hour,
        completed: of[0]!.all_completed,
        failed: of[0]!.all_failed,
        organisations: of[0]!.organisations,
        largest: of.map(({ organisation, completed, failed }) => ({ organisation, completed, failed })),
      }));
      return { hours, cut: rows[0]?.cut ?? false };
    },

    async previewPause({ scheduler, organisation, plugin }) {
      const given = [organisation, plugin].filter((one) => one !== null);
      const column = organisation === null ? 'plugin' : 'organisation';
      const text = statement('lists/pause-preview')
        .replaceAll('{key}', () => (given.length === 0 ? 'true' : `q.${column} = $3`))
        .replaceAll('{rest}', () => (given.length === 2 ? 'q.plugin = $4' : 'true'));
      const values = [scheduler, countedAtLook, ...given];
      const [row] = await queryByKey<{ looked: number; tasks: number; fair: boolean }>(sql, text, values);
      return { tasks: row!.tasks, tasks_is_least: row!.looked >= countedAtLook, fair: row!.fair };
    },
  };
}

interface DayRow {
  readonly hour: string;
  readonly organisation: string;
  readonly completed: number;
  readonly failed: number;
  readonly all_completed: number;
  readonly all_failed: number;
  readonly organisations: number;
  readonly cut: boolean;
}

interface PageRow {
  readonly organisation: string;
  readonly scheduler: string;
  readonly queued: number;
  readonly held: number;
  readonly waited_seconds: number | null;
  readonly weight: number;
}

function viewOf(rows: readonly PageRow[], most: number): OrganisationView {
  return {
    organisation: rows[0]!.organisation,
    schedulers: rows.map(({ organisation: _of, queued: total, held, ...row }) => {
      // Where nothing may be popped, all that is queued is held.
      const allHeld = held >= most && row.waited_seconds === null;
      const queued = Math.max(total, held + (row.waited_seconds === null ? 0 : 1));
      return { ...row, queued, held: allHeld ? queued : held, held_is_least: held >= most && !allHeld };
    }),
  };
}

interface InSchedulerRow {
  readonly scheduler: string;
  readonly total: number;
  readonly held: number;
  readonly waiting: number;
  readonly oldest_seconds: number | null;
  readonly head: string | null;
  readonly head_rank: number | null;
  readonly fair: boolean;
  readonly virtual_time: number | null;
  readonly weight: number;
  readonly weights: number;
}

interface HourRow {
  readonly scheduler: string;
  readonly hour: string;
  readonly status: TaskStatus;
  readonly count: number;
}

const worked: ReadonlySet<TaskStatus> = new Set(['dispatched', 'running']);

function inScheduler(
  row: InSchedulerRow,
  hours: readonly HourRow[],
  next: StartEstimate | null,
): OrganisationDetails['schedulers'][number] {
  const size = queueSizeOf(row, countedOfOne);
  const at_work = hours
    .filter(({ scheduler, status }) => scheduler === row.scheduler && worked.has(status))
    .reduce((sum, { count }) => sum + count, 0);
  return {
    scheduler: row.scheduler,
    queued: size.queued,
    held: size.held,
    held_is_least: size.heldIsLeast,
    at_work,
    oldest_seconds: row.oldest_seconds,
    next,
    fair: row.fair ? fairShare(row, size) : null,
  };
}

function fairShare({ weight, weights, head_rank, virtual_time }: InSchedulerRow, { waiting }: QueueSize): FairShare {
  const due_share = waiting === 0 ? null : Math.min(1, weight / Math.max(weight, weights));
  return { weight, due_share, next_rank: head_rank, virtual_time };
}

function byHour(rows: readonly HourRow[]): OrganisationDetails['hours'] {
  const hours = Map.groupBy(rows, ({ scheduler, hour }) => `${hour} ${scheduler}`);
  return [...hours.values()]
    .map((of) => {
      const count = (status: TaskStatus) =>
        of.filter((row) => row.status === status).reduce((sum, row) => sum + row.count, 0);
      return {
        scheduler: of[0]!.scheduler,
        hour: of[0]!.hour,
        completed: count('completed'),
        failed: count('failed'),
      };
    })
    .filter(({ completed, failed }) => completed + failed > 0)
    .toSorted((a, b) => (a.hour === b.hour ? (a.scheduler < b.scheduler ? -1 : 1) : a.hour < b.hour ? -1 : 1));
}
