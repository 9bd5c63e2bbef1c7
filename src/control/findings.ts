import type { ActorView, Finding } from '../protocol/operator-status.ts';
import type { Overview } from './overview.ts';
import { age } from './wording.ts';

/** Schedules that are due are looked at each second or so: a minute late is late. */
const lateSeconds = 60;

/** What an operator should look at in an overview, problems first. */
export function findingsOf(overview: Overview): readonly Finding[] {
  const { supervisors, schedulers, sources, unanswered, unknown } = overview;
  const found: Finding[] = [
    ...unanswered.map(({ instance, why }) =>
      problem(`supervisor ${instance}`, `does not answer: ${why}`, 'is its process alive? see its log'),
    ),
    ...unknown.map(({ instance, part, why }) =>
      problem(`supervisor ${instance}`, `cannot tell about the ${part}: ${why}`, `is the ${part} up? rota doctor`),
    ),
    ...supervisors.flatMap(({ instance, actors }) => actors.flatMap((actor) => ofActor(actor, instance))),
    ...schedulers
      .filter(({ schedule_lag_seconds: late }) => (late ?? 0) >= lateSeconds)
      .map(({ id, schedule_lag_seconds: late }) =>
        warning(`schedules of ${id}`, `${age(late)} late`, `rota status: does the actor ${id} run?`),
      ),
    ...sources.flatMap(({ source, stream, dead, error, full }) => [
      ...(error === null ? [] : [problem(source, error, 'is the broker up? see QUEUE_URI')]),
      ...(full === null ? [] : [problem(source, full, 'raise its limits: a full stream takes no event')]),
      ...((dead ?? 0) > 0
        ? [warning(source, `${dead} given up: rota dead list`, `rota dead requeue --stream ${stream}`)]
        : []),
    ]),
  ];
  return found.toSorted((a, b) => rank[a.level] - rank[b.level]);
}

const rank = { problem: 0, warning: 1, fine: 2 } as const;

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
          `circuit ${it.circuit}${why(it.last_error)}`,
          `is ${it.service} up? events wait meanwhile, and pops go on`,
        ),
      ),
  ];
}

const problem = (about: string, finding: string, advice: string): Finding => {
  return { level: 'problem', about, finding, advice };
};
const warning = (about: string, finding: string, advice: string): Finding => {
  return { level: 'warning', about, finding, advice };
};
