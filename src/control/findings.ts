import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { Examination, Finding, SchedulerView } from '../protocol/operator-status.ts';
import type { PauseView } from '../protocol/operator.ts';
import { flowOf, isPaused } from './flow.ts';
import { askEach, natsIsLost, type OperatorClient, type Overview, overviewOf, type Silent } from './overview.ts';
import { namesOf, onOf, sentenceOf, type Trouble, troublesOfActor, troublesOfSource } from './troubles.ts';
import { age, moment, pauseName } from './wording.ts';

/** Schedules that are due are looked at each second or so: a minute late is late. */
const lateSeconds = 60;

export interface Found extends Finding {
  /** Where it is one, to be resumed. */
  readonly pause?: PauseView;
}

interface Known {
  readonly pauses?: readonly PauseView[];
  /** Why the pauses are not known, where they are not. */
  readonly pausesUnknown?: string | null;
  /** Of each supervisor that answered. */
  readonly examined?: readonly Examination[];
  /** Supervisors whose examination did not come. */
  readonly unexamined?: readonly Silent[];
}

/** What an operator should look at: problems first, of those the ones that others follow from, each cause once. */
export function findingsOf(
  overview: Overview,
  { pauses = [], pausesUnknown = null, examined = [], unexamined = [] }: Known = {},
): readonly Found[] {
  const { supervisors, schedulers, sources, unanswered } = overview;
  const natsIsOut = isNatsOut(overview, examined);
  const silent = new Set(unanswered.map(({ instance }) => instance));
  const unseen = unexamined.filter(({ instance }) => !silent.has(instance));
  const found: Found[] = [
    ...(natsIsOut ? [ofNats(unanswered)] : ofSilent(unanswered)),
    ...ofUnknown(overview),
    ...ofTroubles(overview, natsIsOut),
    ...schedulers.flatMap((scheduler) => ofScheduler(scheduler, pauses)),
    ...ofDoctor(overview, examined).filter(({ about }) => !(natsIsOut && about.startsWith('nats'))),
    ...(unseen.length === 0
      ? []
      : [
          warning(
            'doctor',
            `did not examine ${namesOf(unseen)}: ${unseen[0]!.why}`,
            'what it would find is not known: rota doctor',
          ),
        ]),
    ...(pausesUnknown === null
      ? []
      : [warning('pauses', `are unknown: ${pausesUnknown}`, 'what they hold may look as if it stood')]),
    ...pauses.map(ofPause),
  ];
  const brokers = new Set(sources.map(({ source }) => source));
  const cause = ({ about }: Finding) => {
    if (about === 'nats') return 0;
    if (about === 'database' || about === 'schema') return 1;
    if (brokers.has(about)) return 2;
    return supervisors.length > 0 && about.startsWith('supervisor') ? 3 : 4;
  };
  return found.toSorted((a, b) => rank[a.level] - rank[b.level] || cause(a) - cause(b));
}

const rank = { problem: 0, warning: 1, fine: 2 } as const;

/** That a client says so is enough: an examination may be half a minute old. */
function isNatsOut({ unanswered }: Overview, examined: readonly Examination[]): boolean {
  const isOut = ({ about, level }: Finding) => about === 'nats' && level === 'problem';
  return (
    unanswered.some(({ why }) => why.includes(natsIsLost)) || examined.some(({ findings }) => findings.some(isOut))
  );
}

/** What follows from it is not said again: that others are silent, and that JetStream is. */
function ofNats(unanswered: readonly Silent[]): Finding {
  const others = unanswered.length === 1 ? 'another supervisor' : `${unanswered.length} other supervisors`;
  const silent = unanswered.length === 0 ? '' : `; ${others} cannot be asked`;
  return problem('nats', `not connected: no pop over NATS is answered${silent}`, 'is it up? see NATS_URL');
}

function ofSilent(unanswered: readonly Silent[]): readonly Finding[] {
  const [first] = unanswered;
  if (first === undefined) return [];
  const advice = 'is its process alive? see its log';
  if (unanswered.length === 1)
    return [problem(`supervisor ${first.instance}`, `does not answer: ${first.why}`, advice)];
  const names = namesOf(unanswered);
  return [
    problem(`supervisors ${names}`, `do not answer: ${first.why}`, advice.replace('its process', 'each process')),
  ];
}

function ofUnknown({ supervisors, unknown }: Overview): readonly Finding[] {
  return [...Map.groupBy(unknown, ({ part }) => part)].map(([part, missing]) => {
    const on = onOf(
      missing.map(({ instance }) => instance),
      supervisors.length,
    );
    return problem(
      part,
      `does not answer${on.replace(' on', '')}: ${missing[0]!.why}`,
      `is the ${part} up? rota doctor`,
    );
  });
}

function ofTroubles({ supervisors, sources }: Overview, natsIsOut: boolean): readonly Finding[] {
  const reached = sources.filter(({ source }) => !(natsIsOut && source.startsWith('jetstream:')));
  // A stream that is not connected says nothing new of a broker that does not answer.
  const lost = new Set(sources.filter(({ error }) => error !== null).map(({ stream }) => `events ${stream}`));
  const overJetstream = natsIsOut && sources.some(({ source }) => source.startsWith('jetstream:'));
  const seen: readonly { readonly on: string | null; readonly trouble: Trouble }[] = [
    ...reached.flatMap(troublesOfSource).map((trouble) => ({ on: null, trouble })),
    ...supervisors
      .flatMap(({ instance, actors }) => actors.flatMap(troublesOfActor).map((trouble) => ({ on: instance, trouble })))
      .filter(({ trouble: { about } }) => !lost.has(about) && !(overJetstream && about.startsWith('events '))),
  ];
  return [...Map.groupBy(seen, ({ trouble: { about, what } }) => `${about} ${what}`).values()].map((same) => {
    const troubles = same.map(({ trouble }) => trouble);
    const instances = same.flatMap(({ on }) => (on === null ? [] : [on]));
    const on = instances.length === 0 ? '' : onOf(instances, supervisors.length);
    const { level, about, advice } = troubles[0]!;
    return { level, about, finding: sentenceOf(troubles, on), advice };
  });
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

/** They are the same for all callers. */
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
  /** None also where they are not known: that is among the findings. */
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
  const examine = { max_age_seconds: examinedAtMostSeconds };
  const [overview, { pauses, pausesUnknown }, { answers: examined, unanswered: unexamined }] = await Promise.all([
    overviewOf(client, instances, maxAgeSeconds),
    within(client.ask('pauses', { max_age_seconds: maxAgeSeconds }), pausesWithinMs, 'DATABASE_UNAVAILABLE').then(
      ({ results }) => ({ pauses: results, pausesUnknown: null }),
      (error: unknown) => ({ pauses: [], pausesUnknown: whyUnknown(error) }),
    ),
    askEach(client, instances, 'doctor', examine, examinedWithinMs),
  ]);
  const findings = findingsOf(overview, { pauses, pausesUnknown, examined, unexamined });
  return { overview, pauses, examined, findings };
}

function whyUnknown(error: unknown): string {
  return codeOf(error) === 'DATABASE_UNAVAILABLE' ? 'the database did not answer' : failureOf(error).message;
}
