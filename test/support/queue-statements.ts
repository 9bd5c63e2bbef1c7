import { claimParameters, claimStatement, type Want } from '../../src/queue/pop/claim.ts';
import { queueSizeStatement } from '../../src/queue/lists/queue-size.ts';
import type { FilterRequest } from '../../src/queue/filter/filter.ts';
import { flowsOf, pushStatement, queueItem } from '../../src/queue/push/push-statement.ts';
import { statement } from '../../src/postgres/pool.ts';
import { boefjeTask } from './queue.ts';

const here = '00000000-0000-4000-8000-000000000001'; // a supervisor

/** Tasks that a statement names. */
export const named = 20;

export interface Task {
  readonly id: string;
  readonly hash: string;
  readonly organisation: string;
  readonly ooi: string;
  /** Null while it is queued. */
  readonly lease: string | null;
}

/** Tasks that the statements name: of the middle of the queue, and of what was claimed from its beginning. */
export interface Tasks {
  readonly queued: readonly Task[];
  readonly leased: readonly Task[];
  readonly group: Task;
  readonly unit: string;
}

export interface Case {
  readonly name: string;
  /** On the queue's connections; else on those of lists and schedules, `anew` with its settings for operators' lists. */
  readonly byKey: boolean | 'anew';
  readonly text: string;
  readonly values: (tasks: Tasks) => readonly unknown[];
  /** Tasks that it changes. */
  readonly rows: number;
}

function equal(column: string, field: string | null, ...values: readonly string[]): FilterRequest {
  const [only] = values;
  if (values.length === 1) return { filters: [{ column, field, operator: 'eq', value: only! }] };
  return { filters: [{ column, field, operator: 'in', value: [...values] }] };
}

function claiming(name: string, rows: number, filters: FilterRequest | null): Case {
  const { text, values } = claimStatement(filters, 'boefje');
  const want: Want = { units: rows, worker: 'w', holder: '127.0.0.1', via: 'rest', leaseMs: 60_000 };
  return {
    name: `claim ${name}`,
    byKey: true,
    text,
    values: () => claimParameters('boefje', [want], 60_000, values),
    rows,
  };
}

/** Each text that push.sql becomes. */
function pushing({ scheduled, maxSize, byCosts }: { scheduled: boolean; maxSize: number; byCosts: boolean }): Case {
  const options = scheduled ? {} : { recurrence: 'none' as const };
  const items = () =>
    Array.from({ length: named }, (_none, n) => ({
      row: queueItem(boefjeTask(`new-${n}`, options), { type: 'boefje', gracePeriodSeconds: 60, jitterSeconds: 0 }),
      n,
      score: n + 2,
      manual: n % 7 === 0,
    }));
  const costs = byCosts ? { unsaved: [] } : null;
  const settings = { scheduler: 'boefje', type: 'boefje', maxSize, answersTasks: true, costs };
  const { text } = pushStatement(items(), settings);
  const name = `push ${scheduled ? 'with' : 'without'} schedules, ${maxSize > 0 ? 'bounded' : 'unbounded'}, by ${byCosts ? 'costs' : 'ranks'}`;
  return { name, byKey: true, text, values: () => pushStatement(items(), settings).values, rows: named };
}

/** Those that count a queue have a statement's part in them. */
function textOf(name: string): string {
  const counting = [
    'lists/queue-overview',
    'lists/scheduler-activity',
    'lists/queue-by-organisation',
    'lists/queue-by-name',
  ] as const;
  const found = counting.find((one) => one === name);
  return found === undefined ? statement(name) : queueSizeStatement(found);
}

export function of(
  name: string,
  values: (tasks: Tasks) => readonly unknown[],
  {
    byKey = true,
    about = '',
    rows = named,
    key = '',
    column = '',
    rest = '',
  }: { byKey?: boolean; about?: string; rows?: number; key?: string; column?: string; rest?: string } = {},
): Case {
  return {
    name: `${name}${about}`,
    byKey,
    text: textOf(name)
      .replace('{key}', () => key)
      .replaceAll('{column}', () => column)
      .replaceAll('{rest}', () => rest),
    values,
    rows,
  };
}

const ids = (tasks: readonly Task[]) => tasks.map(({ id }) => id);
const flows = (tasks: readonly Task[]) =>
  JSON.stringify(
    flowsOf(tasks.map(({ organisation }, at) => ({ organisation, image: `i${at % 10}`, manual: at % 7 === 0 }))).flows,
  );
const hashes = (tasks: readonly Task[]) => tasks.map(({ hash }) => hash);
const leases = (tasks: readonly Task[]) => tasks.map(({ lease }) => lease);
const patched = (tasks: readonly Task[], patch: object) =>
  JSON.stringify(tasks.map(({ id, lease }, n) => ({ n, id, lease_id: lease, ...patch })));
const lists = { byKey: false };

/** The statements of the queue, of the sweeper, of schedules and of operators that name rows or look for the first ones. */
export const cases: readonly Case[] = [
  claiming('1', 1, null),
  claiming('20', named, null),
  claiming('a group', 1, equal('data', 'boefje__id', 'grouped')),
  claiming('of an organisation', 1, equal('organisation', null, 'rare')),
  claiming('of an image', 1, equal('data', 'boefje__oci_image', 'rare')),
  claiming('of two images', 1, equal('data', 'boefje__oci_image', 'rare', 'rarer')),
  claiming('of a plug-in', 1, equal('data', 'boefje__id', 'rare')),
  claiming('of an image that nothing has', 1, equal('data', 'boefje__oci_image', 'none')),
  of('pop/raise-low-water-mark', () => ['boefje'], { rows: 1 }),
  ...[false, true].flatMap((scheduled) =>
    [0, named].flatMap((maxSize) => [false, true].map((byCosts) => pushing({ scheduled, maxSize, byCosts }))),
  ),
  of('push/latest-tasks', ({ queued }) => ['boefje', hashes(queued)]),
  of('push/latest-tasks', ({ queued }) => ['boefje', hashes(queued)], { ...lists, about: ' of the lists' }),
  of('push/flows', ({ queued }) => ['boefje', flows(queued), '[]']),
  of('settle/requeue-look', ({ queued }) => [ids(queued), false]),
  of('schedules/failure-streaks', ({ queued }) => [queued.map(() => 'boefje'), hashes(queued), 10]),
  of('schedules/failure-streaks', ({ queued }) => [queued.map(() => 'boefje'), hashes(queued), 10], {
    ...lists,
    about: ' of the lists',
  }),
  of('lists/task-details', ({ queued }) => [ids(queued), true], { rows: 10 * named }),
  of('lists/task-details', ({ queued }) => [ids(queued), false], { about: ' without places' }),
  // 10 000 go before it, of which the first 200 are read, twice.
  of('lists/task-start', ({ queued }) => [queued[0]!.id, 10 * named, 300, 10], { rows: 8 }),
  // Of what is held as of what waits.
  of('lists/queue-overview', () => [['boefje', 'report'], 300, 10, 10 * named], { rows: 8 }),
  of('lists/queue-by-organisation', () => ['boefje', named, named, 300], { rows: named }),
  // Under an old snapshot each name is looked for among entries of what was popped.
  of('lists/queue-by-name', () => ['boefje', named, named, 300], {
    about: ' of plug-ins',
    rows: 2 * named,
    column: 'plugin',
  }),
  of('lists/queue-by-name', () => ['boefje', named, named, 300], {
    about: ' of images',
    rows: 2 * named,
    column: 'image',
  }),
  // The roll-up is read whole: of each scheduler a row of each organisation.
  of('lists/names-of-organisations', () => [['boefje', 'report'], 'r', named, named], { rows: 3 * named }),
  of('lists/names-of-boefjes', () => ['r', named, named], { rows: named }),
  of('lists/names-queued', () => ['boefje', 'r', named, named], {
    about: ' of plug-ins',
    rows: 2 * named,
    column: 'plugin',
  }),
  of('lists/names-queued', () => ['boefje', 'r', named, named], {
    about: ' of images',
    rows: 2 * named,
    column: 'image',
  }),
  // A hash of the leases that there are; of image_pops none.
  of('lists/workers', () => [10 * named, named], { rows: named }),
  of('lists/images-asked', () => [['boefje', 'report'], 10 * named, named], { rows: named }),
  of('lists/images-last-asked', () => [['boefje'], ['rare'], named], { rows: 1 }),
  of('maintenance/queue-held', () => [['boefje', 'report'], 10 * named], { ...lists, rows: 4 }),
  of('maintenance/knows-organisation', () => ['none'], { ...lists, rows: 1 }),
  // Fifty-one organisations are in the roll-up; each has a head and held rows of its own.
  of('lists/organisations', () => [['boefje', 'report'], '', named, 0, 5_000, named], { rows: 4 * named }),
  of('lists/organisation', () => [['boefje', 'report'], 'rare', named, 5_000], { rows: 51 + 2 * named }),
  of('lists/day', () => [['boefje', 'report'], 30, 200_000], { rows: 2 }),
  of('lists/organisation-hours', () => [['boefje', 'report'], 'rare'], { rows: 2 }),
  of('lists/organisation-plugins', () => [['boefje', 'report'], 'rare', named, named], { rows: 2 * named }),
  of('lists/pause-preview', () => ['boefje', 10 * named, 'o1'], { rows: 4, key: 'q.organisation = $3', rest: 'true' }),
  of('lists/latest-of-hashes', ({ queued }) => [queued.map(() => 'boefje'), hashes(queued)], lists),
  // What workers have is read whole: 250 pages under an old snapshot.
  of('lists/scheduler-activity', () => [['boefje', 'report'], 10 * named], { ...lists, rows: 8 }),
  of('pop/save-image-pops', () => [['boefje'], ['rare'], [1], [1], [1], [5]], { ...lists, rows: 1 }),
  of('lists/read', ({ queued }) => [ids(queued)]),
  of('settle/release', ({ leased }) => [leased[0]!.id], { rows: 1 }),
  of('settle/settle-lock', ({ queued }) => [ids(queued)], { about: ' what is queued' }),
  of('settle/settle-lock-leaders', ({ leased }) => [ids(leased), ids(leased)], { about: ' what is leased' }),
  of('settle/settle', ({ queued }) => [patched(queued, { status: 'CANCELLED' }), 60, true], { about: ' cancelled' }),
  of('settle/settle', ({ queued }) => [patched(queued, { priority: 7 }), 60, true], { about: ' with a priority' }),
  of('settle/settle', ({ leased }) => [patched(leased, { status: 'QUEUED', superseded: true }), 60, true], {
    about: ' put back',
  }),
  of(
    'settle/settle',
    ({ leased }) => [
      patched(leased, { status: 'FAILED', error: { message: 'no' }, doer: 'rota', why: 'why' }),
      60,
      true,
    ],
    { about: ' failed' },
  ),
  of('settle/settle-followers', ({ group, unit }) => [[group.id], [unit]], { rows: 1 }),
  of('settle/settle-held', ({ leased }) => [ids(leased), leases(leased), leased.map(() => 'COMPLETED'), true, null]),
  of('settle/settle-held', ({ leased }) => [ids(leased), leases(leased), leased.map(() => 'RUNNING'), false, null], {
    about: ' begun',
  }),
  of('settle/heartbeat', ({ leased }) => [ids(leased), leases(leased), [60_000]]),
  of('settle/present', () => [here], { rows: 1 }),
  of('settle/sweep-find', () => [named, here, 0, 3, 2]),
  of('settle/sweep-lock', ({ leased }) => [ids(leased), ['boefje']]),
  of('settle/sweep-look', ({ leased }) => [ids(leased), 3, 2]),
  of('maintenance/fold-counts', () => [1], { rows: 51 }),
  of('maintenance/hold', () => ['boefje', true, named, 0, 'rare'], {
    ...lists,
    about: ' of an organisation',
    key: 'q.organisation = $5',
  }),
  of('maintenance/hold', () => ['boefje', true, named, 0, 'rare'], {
    ...lists,
    about: ' of a plug-in',
    key: 'q.plugin = $5',
  }),
  of('maintenance/hold', () => ['boefje', true, named, 0], { ...lists, about: ' of all', key: 'true' }),
  of('settle/purge-queue', () => ['boefje', 'rare', named, 'ann'], lists),
  of(
    'schedules/forget-oois',
    ({ queued }) => ['boefje', queued.map(({ organisation }) => organisation), queued.map(({ ooi }) => ooi)],
    lists,
  ),
  of('maintenance/retire', () => [1, 60, '-infinity', '00000000-0000-0000-0000-000000000000', named], lists),
  of(
    'maintenance/rerank',
    ({ queued }) => ['boefje', JSON.stringify(queued.map(({ id, hash }) => ({ id, hash, rank: 5, priority: 5 })))],
    lists,
  ),
  of('maintenance/rerank-preview', () => ['boefje', named], { rows: named }),
  of('schedules/schedule-patch', ({ queued }) => [ids(queued), '{"enabled":true}'], lists),
  of('schedules/claim-due-schedules', () => ['boefje', named, []], lists),
  of('schedules/disabled-schedules', ({ queued }) => ['boefje', ids(queued)], lists),
  of('maintenance/audit-read', () => [null, 'rare', 50], lists),
  of('maintenance/incidents-read', () => [null, 50], lists),
  ...['maintenance/audit-forget', 'maintenance/incidents-forget'].map((name) => of(name, () => [200], lists)),
  of('schedules/enable-schedules', () => ['boefje', 'rare', ['boefje-gone'], ['rare']], lists),
  of(
    'schedules/enable-schedules-of-oois',
    ({ queued }) => [
      'boefje',
      ['boefje-gone'],
      queued.map(({ organisation }) => organisation),
      queued.map(({ ooi }) => ooi),
    ],
    lists,
  ),
  of('schedules/schedules-of-boefje', () => ['boefje', 'rare', 'rare', null, named], lists),
  of('settle/revoke-queued', ({ queued }) => ['boefje', hashes(queued), 'boefje-disabled']),
  of('settle/revocable-of-hashes', ({ queued }) => ['boefje', hashes(queued)]),
  of('schedules/delete-schedules', ({ queued }) => [hashes(queued)], lists),
  of('maintenance/unbegun', () => [['boefje'], 600, 60], { rows: 1 }),
  of('limits/limits', () => [], { rows: 1 }),
  of('limits/unresolved', () => [named]),
  of('limits/resolve', ({ queued }) => [
    JSON.stringify(queued.map(({ id, hash }) => ({ id, hash, scheduler: 'boefje', keys: ['l/x'] }))),
    1,
    true,
  ]),
  of('limits/due', () => [], { rows: 1 }),
  // Under an old snapshot the leases that ended are read, too.
  of('limits/running', () => ['00000000-0000-0000-0000-000000000000', named], { rows: 100 }),
  of('limits/count', ({ leased }) => [
    JSON.stringify(leased.map(({ id, lease }) => ({ id, lease_id: lease, key: 'l/x' }))),
  ]),
  of('limits/fold', () => [named]),
  of('limits/admit', () => [named, [], [], 1, named, 0, named]),
  of('limits/next', () => [['l/x'], [], []], { rows: 1 }),
  of('limits/close', () => ['l/', named]),
  of('limits/held', () => [['l'], named]),
  of('limits/places', ({ queued }) => [['l/x'], named, queued[0]!.id], { rows: 1 }),
  of('limits/revisit', () => ['l', named, named]),
  of('limits/forget', () => ['', named], { rows: 1 }),
  of(
    'limits/apply',
    () => ['l', named, '-9223372036854775808', '-infinity', '00000000-0000-0000-0000-000000000000', 'boefje'],
    { byKey: false },
  ),
];
