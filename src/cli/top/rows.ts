import type { Situation } from '../../control/findings.ts';
import { flowOf, isPaused } from '../../control/flow.ts';
import type { Parts, PartView } from '../../control/parts.ts';
import { age, rateOf } from '../../control/wording.ts';
import type { Finding, SchedulerView } from '../../protocol/operator-status.ts';
import type { PauseView } from '../../protocol/operator.ts';
import { oneLine } from '../../printable.ts';
import type { QueuePart } from '../../tasks/task.ts';

/** What a look found. */
export interface Figures extends Omit<Situation, 'examined'> {
  /** Of the view that was shown; null where that is of schedulers. `failure`: why there are none. */
  readonly parts: ({ readonly by: QueuePart; readonly failure: string | null } & Parts) | null;
}

export const views = ['schedulers', 'organisations', 'boefjes', 'images'] as const;
export type View = (typeof views)[number];

export const partOf = {
  schedulers: null,
  organisations: 'organisation',
  boefjes: 'boefje',
  images: 'image',
} as const satisfies Record<View, QueuePart | null>;

type Cell = string | number | null;

/** A line that can be selected. `key` stays while its figures change. */
export type Row = { readonly key: string } & (
  | { readonly kind: 'problem'; readonly finding: Finding }
  | {
      readonly kind: 'scheduler';
      readonly scheduler: SchedulerView;
      readonly state: string;
      readonly cells: readonly Cell[];
    }
  | {
      readonly kind: QueuePart;
      readonly part: PartView;
      readonly state: string;
      readonly cells: readonly Cell[];
    }
);

export type TableRow = Exclude<Row, { readonly kind: 'problem' }>;

interface Column<T> {
  readonly title: string;
  readonly cell: (of: T, state: string) => Cell;
  /** What rows are sorted by: numbers from the greatest, texts from the first. */
  readonly by: (of: T, state: string) => string | number | null;
}

const schedulerColumns: readonly Column<SchedulerView>[] = [
  { title: 'SCHEDULER', cell: ({ id }) => id, by: ({ id }) => id },
  { title: 'STATE', cell: (_of, state) => state, by: (_of, state) => state },
  { title: 'QUEUED', cell: ({ queued }) => queued, by: ({ queued }) => queued },
  {
    title: 'HELD',
    cell: ({ held, held_is_least: least }) => (held === null ? null : least ? `${held}+` : held),
    by: ({ held }) => held,
  },
  { title: 'OLDEST', cell: (it) => age(it.oldest_seconds), by: (it) => it.oldest_seconds },
  { title: 'LEASED', cell: ({ leased }) => leased, by: ({ leased }) => leased },
  { title: 'WAITERS', cell: ({ waiters }) => waiters, by: ({ waiters }) => waiters },
  { title: 'IN/S', cell: (it) => it.in_per_second.toFixed(1), by: (it) => it.in_per_second },
  { title: 'OUT/S', cell: (it) => it.out_per_second.toFixed(1), by: (it) => it.out_per_second },
];

const partColumns: readonly Column<PartView>[] = [
  { title: 'NAME', cell: ({ name }) => name, by: ({ name }) => name },
  { title: 'SCHEDULER', cell: ({ scheduler }) => scheduler, by: ({ scheduler }) => scheduler },
  { title: 'STATE', cell: (_of, state) => state, by: (_of, state) => state },
  {
    title: 'QUEUED',
    cell: ({ queued, queued_is_least: least }) => (least ? `${queued}+` : queued),
    by: ({ queued }) => queued,
  },
  { title: 'HELD', cell: ({ held, held_is_least: least }) => (least ? `${held}+` : held), by: ({ held }) => held },
  { title: 'OLDEST', cell: (it) => age(it.oldest_seconds), by: (it) => it.oldest_seconds },
  {
    title: 'RATE',
    cell: (it) => (it.per_second === null ? null : rateOf(it.per_second)),
    by: (it) => it.per_second,
  },
  { title: 'FAILED', cell: ({ failed }) => failed, by: ({ failed }) => failed },
];

export function titlesOf(view: View): readonly string[] {
  return (view === 'schedulers' ? schedulerColumns : partColumns).map(({ title }) => title);
}

/** QUEUED: what waits most. */
export const sortedAtFirst: Readonly<Record<View, number>> = { schedulers: 2, organisations: 3, boefjes: 3, images: 3 };

/** What is wrong, problems first. */
export function problemsOf(figures: Figures): readonly Row[] {
  const { findings, parts } = figures;
  const silent = (parts?.unanswered ?? []).map((instance): Finding => {
    const finding = `its share of rates and failures is missing`;
    return { level: 'warning', about: `supervisor ${instance}`, finding, advice: 'is it stuck? rota status' };
  });
  const all = [...findings, ...silent];
  return all.map((finding, at) => {
    // One part may have several; what they say changes with time.
    const nth = all.slice(0, at).filter(({ about }) => about === finding.about).length;
    return { key: `problem ${nth} ${finding.about}`, kind: 'problem', finding };
  });
}

/** The table of a view. */
export function tableRowsOf(figures: Figures, view: View, sort: number, filter: string): readonly TableRow[] {
  const by = partOf[view];
  const rows =
    by === null
      ? sorted(
          schedulerColumns,
          sort,
          figures.overview.schedulers.map((it) => ({ of: it, state: flowOf(it, isPaused(it, figures.pauses)).word })),
        ).map(({ of, state }): TableRow => {
          const cells = schedulerColumns.map(({ cell }) => cell(of, state));
          return { key: `scheduler ${of.id}`, kind: 'scheduler', scheduler: of, state, cells };
        })
      : sorted(
          partColumns,
          sort,
          (figures.parts?.by === by ? figures.parts.results : []).map((it) => ({
            of: it,
            state: partStateOf(it, by, figures.pauses),
          })),
        ).map(({ of, state }): TableRow => {
          const cells = partColumns.map(({ cell }) => cell(of, state));
          return { key: `${by} ${of.scheduler} ${of.name}`, kind: by, part: of, state, cells };
        });
  const wanted = filter.toLowerCase();
  return rows.filter(({ cells }) =>
    cells.some((cell) => typeof cell === 'string' && oneLine(cell).toLowerCase().includes(wanted)),
  );
}

function sorted<T>(
  columns: readonly Column<T>[],
  sort: number,
  rows: readonly { readonly of: T; readonly state: string }[],
): readonly { readonly of: T; readonly state: string }[] {
  const { by } = columns[sort]!;
  return rows.toSorted((a, b) => {
    const [x, y] = [by(a.of, a.state), by(b.of, b.state)];
    if (x === y) return 0;
    // What is not known comes last.
    if (x === null || y === null) return x === null ? 1 : -1;
    return typeof x === 'number' && typeof y === 'number' ? y - x : String(x) < String(y) ? -1 : 1;
  });
}

/** `paused`, as a whole or with its scheduler, or nothing. */
function partStateOf({ scheduler, name }: PartView, by: QueuePart, pauses: readonly PauseView[]): string {
  return pausesOf({ scheduler, name, by }, pauses).length > 0 ? 'paused' : '';
}

/** Those that hold all of it. */
export function pausesOf(
  { scheduler, name, by }: { readonly scheduler: string; readonly name: string; readonly by: QueuePart },
  pauses: readonly PauseView[],
): readonly PauseView[] {
  return pauses.filter(
    (it) =>
      it.scheduler === scheduler &&
      (it.organisation === null || (by === 'organisation' && it.organisation === name)) &&
      (it.boefje === null || (by === 'boefje' && it.boefje === name)),
  );
}
