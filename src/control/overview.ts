import { within } from '../deadline.ts';
import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { IncidentView, SchedulerView, SourceView, SupervisorView } from '../protocol/operator-status.ts';
import type { OperatorAnswers, OperatorCommandName } from '../protocol/operator.ts';
import type { BodyOf } from './operations.ts';

/** The way to the commands of all supervisors of an installation, for one caller. */
export interface OperatorClient {
  /** Any supervisor, or `instance`. @throws RotaError, as the command throws it, or SERVICE_UNAVAILABLE and ASK_TIMEOUT of the way */
  ask<K extends OperatorCommandName>(name: K, body: BodyOf<K>, instance?: string): Promise<OperatorAnswers[K]>;
  /** The supervisors that answer within a second. */
  instances(): Promise<readonly string[]>;
}

/** `rota status --json`. */
export interface Overview {
  readonly supervisors: readonly Omit<SupervisorView, 'now' | 'schedulers' | 'sources' | 'unknown'>[];
  /** Over all supervisors: figures of the database are the same for each, waiters and rates are sums. */
  readonly schedulers: readonly SchedulerView[];
  /** The broker's figures are the same for every supervisor: these come from one that reaches it. */
  readonly sources: readonly SourceView[];
  /** Supervisors that were heard, and that did not answer `status` in time. */
  readonly unanswered: readonly Silent[];
  /** Parts of a supervisor's answer that it could not find out. */
  readonly unknown: readonly { readonly instance: string; readonly part: string; readonly why: string }[];
}

/** What the way to the other supervisors says while NATS is away: it is the cause of their silence. */
export const natsIsLost = 'the connection to NATS is lost';

/** A supervisor that was asked in vain. */
export interface Silent {
  readonly instance: string;
  readonly why: string;
}

/** Of each supervisor, or of any where none is known. `withinMs`: one that answers later counts as silent. */
export async function askEach<K extends OperatorCommandName>(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  name: K,
  body: BodyOf<K>,
  withinMs: number | null = null,
): Promise<{
  readonly answers: readonly OperatorAnswers[K][];
  readonly unanswered: readonly (Silent & { readonly error: unknown })[];
}> {
  const asked = instances.length === 0 ? [undefined] : instances;
  const settled = await Promise.allSettled(
    asked.map((instance) => {
      const answer = client.ask(name, body, instance);
      return withinMs === null ? answer : within(answer, withinMs, 'ASK_TIMEOUT');
    }),
  );
  return {
    answers: settled.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : [])),
    unanswered: settled.flatMap((answer, at) => {
      if (answer.status === 'fulfilled') return [];
      const error: unknown = answer.reason;
      return [{ instance: asked[at] ?? 'any', why: `${codeOf(error)}: ${failureOf(error).message}`, error }];
    }),
  };
}

/** Asks each supervisor; its figures of the database may be so old. @throws the first one's refusal if none answers. */
export async function overviewOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  maxAgeSeconds = 0,
): Promise<Overview> {
  const { answers: statuses, unanswered } = await askEach(client, instances, 'status', {
    max_age_seconds: maxAgeSeconds,
  });
  if (statuses.length === 0) throw unanswered[0]!.error;
  return {
    supervisors: statuses.map(({ instance, version, started_at, pid, rss_bytes, loop_p99_ms, actors }) => ({
      instance,
      version,
      started_at,
      pid,
      rss_bytes,
      loop_p99_ms,
      actors,
    })),
    schedulers: schedulersOf(statuses),
    sources: sourcesOf(statuses),
    unanswered: unanswered.map(({ instance, why }) => ({ instance, why })),
    unknown: statuses.flatMap(({ instance, unknown }) => unknown.map((it) => ({ instance, ...it }))),
  };
}

function schedulersOf(statuses: readonly SupervisorView[]): readonly SchedulerView[] {
  const all = Map.groupBy(
    statuses.flatMap(({ schedulers }) => schedulers),
    ({ id }) => id,
  );
  return [...all.values()].map((same) => {
    const sum = (key: 'waiters' | 'in_per_second' | 'out_per_second') =>
      same.reduce((total, scheduler) => total + scheduler[key], 0);
    return {
      // A supervisor that reaches the database has the figures of all.
      ...(same.find(({ queued }) => queued !== null) ?? same[0]!),
      waiters: sum('waiters'),
      in_per_second: sum('in_per_second'),
      out_per_second: sum('out_per_second'),
      lately: latelyOf(same),
    };
  });
}

/** Of those that have run long enough. */
function latelyOf(same: readonly SchedulerView[]): SchedulerView['lately'] {
  const known = same.flatMap(({ lately }) => (lately === null ? [] : [lately]));
  if (known.length === 0) return null;
  const sum = (key: 'in_per_second' | 'out_per_second') => known.reduce((total, lately) => total + lately[key], 0);
  return { in_per_second: sum('in_per_second'), out_per_second: sum('out_per_second') };
}

function sourcesOf(statuses: readonly SupervisorView[]): readonly SourceView[] {
  const all = Map.groupBy(
    statuses.flatMap(({ sources }) => sources),
    ({ source }) => source,
  );
  return [...all.values()].map((same) => same.find(({ error }) => error === null) ?? same[0]!);
}

export interface Incidents {
  readonly results: readonly IncidentView[];
  /** Why those that are kept could not be read: the results are what the supervisors remember since their start. */
  readonly unknown: string | null;
  /** Then, what these remember is missing. */
  readonly unanswered: readonly Silent[];
}

/** The newest first; while the database is away, of all supervisors that answer. */
export async function incidentsOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  body: BodyOf<'incidents'>,
): Promise<Incidents> {
  const any = await askEach(client, [], 'incidents', body);
  const [kept] = any.answers;
  if (kept !== undefined && kept.unknown === null) return { ...kept, unanswered: [] };
  const { answers, unanswered } = await askEach(client, instances, 'incidents', body);
  const first = unanswered[0];
  if (answers.length === 0 && first !== undefined) throw first.error;
  // One that reaches the database has what the others have written.
  const all = new Map(answers.flatMap(({ results }) => results.map((incident) => [incident.id, incident] as const)));
  return {
    results: [...all.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, body.limit),
    unknown: answers.some(({ unknown }) => unknown === null) ? null : (answers[0]?.unknown ?? null),
    unanswered: unanswered.map(({ instance, why }) => ({ instance, why })),
  };
}
