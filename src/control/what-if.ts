import type { OrganisationPage, OrganisationView } from '../protocol/operator-organisations.ts';
import { forecast, inOrderOfAge, type Waiting } from './forecast.ts';
import { askEach, type OperatorClient, overviewOf } from './overview.ts';

/** Figures of the database may be so old. */
const maxAgeSeconds = 5;
/** Organisations that are told apart; all others are one. */
const mostOrganisations = 500;

type Client = Pick<OperatorClient, 'ask'>;

export interface Work {
  /** Tasks handed out per second over the last ten minutes, by all supervisors that answered. */
  readonly perSecond: number;
  /** Of one organisation or boefje; null where it cannot be told, since only the busiest are told apart. */
  of(name: string): number | null;
}

/** What was handed out lately, by organisation or boefje. */
export async function workOf(
  client: Client,
  instances: readonly string[],
  {
    scheduler,
    by = 'organisation',
  }: { readonly scheduler?: string | undefined; readonly by?: 'organisation' | 'boefje' },
): Promise<Work> {
  const body = { by, ...(scheduler === undefined ? {} : { scheduler }) };
  const { answers, unanswered } = await askEach(client, instances, 'queue-rates', body);
  const rates = answers.flatMap(({ results }) => results);
  const sums = new Map<string, number>();
  for (const { name, per_second: rate } of rates) sums.set(name, (sums.get(name) ?? 0) + rate);
  // Under '' are those beyond the ones that a supervisor tells apart.
  const none = sums.has('') || unanswered.length > 0 ? null : 0;
  return {
    perSecond: [...sums.values()].reduce((sum, rate) => sum + rate, 0),
    of: (name) => sums.get(name) ?? none,
  };
}

export interface Key {
  readonly scheduler: string;
  readonly organisation?: string | undefined;
  readonly boefje?: string | undefined;
}

export interface PauseEffect {
  readonly tasks: number;
  readonly tasks_is_least: boolean;
  /** What workers have in hand of the scheduler. */
  readonly at_work: number | null;
  /** Of what was handed out over the last ten minutes; null where it is not counted. */
  readonly of_the_work: number | null;
  readonly outlook: Outlook | null;
}

/** When what waits now is handed out, in seconds: as it is, and with the change. */
export interface Outlook {
  readonly per_second: number;
  readonly all: { readonly before: number | null; readonly after: number | null };
  /** Null: never. Those that change most first. */
  readonly organisations: readonly {
    readonly name: string;
    readonly waiting: number;
    readonly before: number | null;
    readonly after: number | null;
  }[];
}

/** What a pause would do, in numbers. */
export async function pauseEffect(client: Client, instances: readonly string[], key: Key): Promise<PauseEffect> {
  const { scheduler, organisation, boefje } = key;
  const [preview, overview, page, work] = await Promise.all([
    client.ask('preview-pause', { ...key }),
    overviewOf(client, instances, maxAgeSeconds),
    client.ask('organisations', { scheduler, limit: mostOrganisations, max_age_seconds: maxAgeSeconds }),
    organisation !== undefined && boefje !== undefined
      ? null
      : workOf(client, instances, { scheduler, by: boefje === undefined ? 'organisation' : 'boefje' }),
  ]);
  const of = overview.schedulers.find(({ id }) => id === scheduler);
  const rate = of?.per_second ?? null;
  const lost =
    (organisation ?? boefje) === undefined ? (work?.perSecond ?? null) : (work?.of(organisation ?? boefje!) ?? null);
  const waiting = waitingOf(page, scheduler);
  // Of a boefje of all organisations it is not known whose tasks they are.
  const after =
    organisation === undefined ? null : less(waiting, organisation, boefje === undefined ? Infinity : preview.tasks);
  return {
    tasks: preview.tasks_is_least ? Math.max(preview.tasks, held(page, key) ?? 0) : preview.tasks,
    tasks_is_least: preview.tasks_is_least && held(page, key) === null,
    at_work: of?.leased ?? null,
    of_the_work: work === null || lost === null || work.perSecond === 0 ? null : lost / work.perSecond,
    outlook: rate === null || after === null ? null : outlook(waiting, after, rate, preview.fair),
  };
}

/** What another weight would do to who is done when; null where nothing is handed out or organisations take no turns. */
export async function weightOutlook(
  client: Client,
  instances: readonly string[],
  {
    scheduler,
    organisation,
    weight,
  }: { readonly scheduler: string; readonly organisation: string; readonly weight: number },
): Promise<Outlook | null> {
  const [preview, overview, page] = await Promise.all([
    client.ask('preview-pause', { scheduler, organisation }),
    overviewOf(client, instances, maxAgeSeconds),
    client.ask('organisations', { scheduler, limit: mostOrganisations, max_age_seconds: maxAgeSeconds }),
  ]);
  const rate = overview.schedulers.find(({ id }) => id === scheduler)?.per_second ?? null;
  if (rate === null || !preview.fair) return null;
  const waiting = waitingOf(page, scheduler);
  const after = waiting.map((part) => (part.name === organisation ? { ...part, weight } : part));
  return outlook(waiting, after, rate, true);
}

/** When all that waits now of each organisation of a scheduler is handed out, in seconds; '' is all beyond those told apart. */
export function doneBy(
  page: OrganisationPage,
  scheduler: string,
  perSecond: number,
  fair: boolean,
): ReadonlyMap<string, number> {
  const waiting = waitingOf(page, scheduler);
  return forecast(fair ? waiting : inOrderOfAge(waiting), perSecond);
}

function outlook(waiting: readonly Waiting[], changed: readonly Waiting[], perSecond: number, fair: boolean): Outlook {
  const [before, after] = [waiting, changed].map((parts) =>
    forecast(fair ? parts : inOrderOfAge(parts), perSecond),
  ) as [ReadonlyMap<string, number>, ReadonlyMap<string, number>];
  const last = (times: ReadonlyMap<string, number>) => [...times.values()].at(-1) ?? null;
  const organisations = waiting
    .filter(({ name, waiting: tasks }) => name !== '' && tasks > 0)
    .map(({ name, waiting: tasks }) => ({
      name,
      waiting: tasks,
      before: before.get(name) ?? null,
      after: after.get(name) ?? null,
    }))
    .toSorted((a, b) => changeOf(b) - changeOf(a) || b.waiting - a.waiting);
  return { per_second: perSecond, all: { before: last(before), after: last(after) }, organisations };
}

function changeOf({ before, after }: { readonly before: number | null; readonly after: number | null }): number {
  return before === null || after === null ? Infinity : Math.abs(before - after);
}

function waitingOf(page: OrganisationPage, scheduler: string): readonly Waiting[] {
  const told = page.results.map((it) => ({ name: it.organisation, ...queueOf(it, scheduler) }));
  const rest = page.queued - page.results.reduce((sum, it) => sum + (queueIn(it, scheduler)?.queued ?? 0), 0);
  const others = page.count - page.results.length;
  return rest > 0 && others > 0 ? [...told, { name: '', waiting: rest, weight: others }] : told;
}

function queueOf(it: OrganisationView, scheduler: string): Omit<Waiting, 'name'> {
  const queue = queueIn(it, scheduler);
  return { waiting: queue === undefined ? 0 : queue.queued - queue.held, weight: queue?.weight ?? 1 };
}

function queueIn({ schedulers }: OrganisationView, scheduler: string) {
  return schedulers.find((queue) => queue.scheduler === scheduler);
}

/** By the roll-up, where the count stopped: a pause of a whole organisation or scheduler holds all that none holds now. */
function held(page: OrganisationPage, { scheduler, organisation, boefje }: Key): number | null {
  if (boefje !== undefined) return null;
  if (organisation === undefined) return page.queued;
  const found = page.results.find((it) => it.organisation === organisation);
  return found === undefined ? null : queueOf(found, scheduler).waiting;
}

function less(waiting: readonly Waiting[], organisation: string, tasks: number): readonly Waiting[] {
  return waiting.map((part) =>
    part.name === organisation ? { ...part, waiting: Math.max(0, part.waiting - tasks) } : part,
  );
}
