import { within } from '../deadline.ts';
import type { ActorView, Examination, Finding, SchedulerView } from '../protocol/operator-status.ts';
import type { PauseView } from '../protocol/operator.ts';
import { flowOf } from './flow.ts';
import { type OperatorClient, type Overview, overviewOf } from './overview.ts';
import { age, moment } from './wording.ts';

/** Schedules that are due are looked at each second or so: a minute late is late. */
const lateSeconds = 60;

export interface Found extends Finding {
  /** Where it is one, to be resumed. */
  readonly pause?: PauseView;
}

interface Known {
  readonly pauses?: readonly PauseView[];
  /** Of each supervisor that answered. */
  readonly examined?: readonly Examination[];
}

/** What an operator should look at, problems first, each said once. */
export function findingsOf(overview: Overview, { pauses = [], examined = [] }: Known = {}): readonly Found[] {
  const { supervisors, schedulers, sources, unanswered, unknown } = overview;
  const found: Found[] = [
    ...unanswered.map(({ instance, why }) =>
      problem(`supervisor ${instance}`, `does not answer: ${why}`, 'is its process alive? see its log'),
    ),
    ...unknown.map(({ instance, part, why }) =>
      problem(`supervisor ${instance}`, `cannot tell about the ${part}: ${why}`, `is the ${part} up? rota doctor`),
    ),
    ...supervisors.flatMap(({ instance, actors }) => actors.flatMap((actor) => ofActor(actor, instance))),
    ...schedulers.flatMap((scheduler) => ofScheduler(scheduler, pauses)),
    ...sources.flatMap(({ source, stream, dead, error, full }) => [
      ...(error === null ? [] : [problem(source, error, 'is the broker up? see QUEUE_URI')]),
      ...(full === null ? [] : [problem(source, full, 'raise its limits: a full stream takes no event')]),
      ...((dead ?? 0) > 0
        ? [warning(source, `${dead} given up: rota dead list`, `rota dead requeue --stream ${stream}`)]
        : []),
    ]),
    ...ofDoctor(overview, examined),
    ...pauses.map(ofPause),
  ];
  return found.toSorted((a, b) => rank[a.level] - rank[b.level]);
}

const rank = { problem: 0, warning: 1, fine: 2 } as const;

/** Whether all of a scheduler is paused. */
export function isPaused({ id }: Pick<SchedulerView, 'id'>, pauses: readonly PauseView[]): boolean {
  return pauses.some((it) => it.scheduler === id && it.organisation === null && it.boefje === null);
}

/** `boefje, org-1, every boefje`. */
export function pauseName({ scheduler, organisation, boefje }: Pick<PauseView, 'scheduler'> & Partial<PauseView>) {
  return [scheduler, organisation ?? 'every organisation', boefje ?? 'every boefje'].join(', ');
}

function ofPause(pause: PauseView): Found {
  const { paused_by: by, since, note } = pause;
  const finding = `paused by ${by ?? 'an unknown operator'} since ${moment(since)}${note === null ? '' : `: “${note}”`}`;
  return { ...warning(pauseName(pause), finding, 'resume it, once its reason is gone: rota resume'), pause };
}

function ofScheduler(scheduler: SchedulerView, pauses: readonly PauseView[]): readonly Finding[] {
  const { id, schedule_lag_seconds: late } = scheduler;
  const { word, why } = flowOf(scheduler, isPaused(scheduler, pauses));
  return [
    ...(word === 'stands'
      ? [problem(id, `stands: ${why}`, 'do its runners run, and what do they log? rota workers shows who asks')]
      : []),
    ...(word === 'falls behind' ? [warning(id, `falls behind: ${why}`, 'more workers; rota queue says of whom')] : []),
    ...((late ?? 0) >= lateSeconds
      ? [warning(`schedules of ${id}`, `${age(late)} late`, `rota status: does the actor ${id} run?`)]
      : []),
  ];
}

function ofActor({ name, phase, last_failure: failure, thread }: ActorView, instance: string): readonly Finding[] {
  const why = (text: string | null | undefined) => (text ? `: ${text}` : '');
  return [
    ...(phase === 'running'
      ? []
      : [
          problem(
            `actor ${name} on ${instance}`,
            phase + why(failure?.message),
            `mend its cause, then rota actors restart ${name}`,
          ),
        ]),
    ...(thread?.streams ?? [])
      .filter(({ connected }) => !connected)
      .map((it) =>
        problem(
          `events ${it.stream} on ${instance}`,
          `not connected${why(it.last_error)}`,
          'is the broker up? see QUEUE_URI',
        ),
      ),
    ...(thread?.services ?? [])
      .filter(({ circuit }) => circuit !== 'closed')
      .map((it) =>
        problem(
          `${it.service} of ${name} on ${instance}`,
          `circuit ${it.circuit}${it.open_since === null ? '' : ` since ${moment(it.open_since)}`}${why(it.last_error)}`,
          `is ${it.service} up? events wait meanwhile, and pops go on`,
        ),
      ),
  ];
}

/** They are the same whoever looks. */
const ofDatabase: ReadonlySet<string> = new Set([
  'database',
  'schema',
  'indexes',
  'transactions',
  'connections',
  'crons',
]);

/** What the examinations found that the overview does not tell. */
function ofDoctor({ supervisors, unknown }: Overview, examined: readonly Examination[]): readonly Finding[] {
  const answered = new Set(supervisors.map(({ instance }) => instance));
  const databaseIsOut = unknown.some(({ part }) => part === 'database');
  const all = examined.flatMap(({ instance, findings }) =>
    findings
      .filter(({ level }) => level !== 'fine')
      .filter(({ about }) => !(answered.has(instance) && (about === 'events' || about.startsWith('actor '))))
      .filter(({ about }) => !(databaseIsOut && about === 'database'))
      .map((finding) => ({ instance, finding })),
  );
  const same = Map.groupBy(all, ({ finding: { about, finding } }) =>
    ofDatabase.has(about) ? about : `${about} ${finding}`,
  );
  return [...same.values()].flatMap((group) => {
    const [{ instance, finding: first }] = group as [(typeof group)[number]];
    // Several of one examination may be about the same part.
    if (ofDatabase.has(first.about))
      return group.filter((it) => it.instance === instance).map(({ finding }) => finding);
    const on = examined.length === group.length ? '' : ` on ${group.map((it) => it.instance).join(', ')}`;
    return [{ ...first, about: `${first.about}${on}` }];
  });
}

const problem = (about: string, finding: string, advice: string): Finding => {
  return { level: 'problem', about, finding, advice };
};
const warning = (about: string, finding: string, advice: string): Finding => {
  return { level: 'warning', about, finding, advice };
};

/** What is there, and what of it an operator should look at. */
export interface Situation {
  readonly overview: Overview;
  /** None also where the database cannot tell them. */
  readonly pauses: readonly PauseView[];
  readonly examined: readonly Examination[];
  readonly findings: readonly Found[];
}

/** Operators look during outages: what the database tells alone is waited for no longer. */
const pausesWithinMs = 2_000;
/** An examination waits 3 s for the database itself. */
const examinedWithinMs = 4_000;
/** It costs ten statements and a look at the broker. */
const examinedAtMostSeconds = 30;

/** Asks each supervisor; the database's figures may be so old. @throws the first one's refusal if none answers. */
export async function situationOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  maxAgeSeconds = 0,
): Promise<Situation> {
  const asked = instances.length === 0 ? [undefined] : instances;
  const [overview, pauses, examined] = await Promise.all([
    overviewOf(client, instances, maxAgeSeconds),
    within(client.ask('pauses', { max_age_seconds: maxAgeSeconds }), pausesWithinMs).then(
      ({ results }) => results,
      () => [],
    ),
    Promise.all(
      asked.map((instance) =>
        within(client.ask('doctor', { max_age_seconds: examinedAtMostSeconds }, instance), examinedWithinMs).then(
          (answer) => [answer],
          // That it does not answer is in the overview.
          () => [],
        ),
      ),
    ),
  ]);
  const known = { pauses, examined: examined.flat() };
  return { overview, ...known, findings: findingsOf(overview, known) };
}
