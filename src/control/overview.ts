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
  /** Supervisors that answered a ping, but not `status` in time. */
  readonly unanswered: readonly { readonly instance: string; readonly why: string }[];
  /** Parts of a supervisor's answer that it could not find out. */
  readonly unknown: readonly { readonly instance: string; readonly part: string; readonly why: string }[];
}

/** Asks each supervisor; its figures of the database may be so old. @throws the first one's refusal if none answers. */
export async function overviewOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
  maxAgeSeconds = 0,
): Promise<Overview> {
  const asked = instances.length === 0 ? [undefined] : instances;
  const answers = await Promise.allSettled(
    asked.map((instance) => client.ask('status', { max_age_seconds: maxAgeSeconds }, instance)),
  );
  const statuses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const refusals = answers.flatMap((answer, at) =>
    answer.status === 'rejected' ? [{ instance: asked[at] ?? 'any', error: answer.reason as unknown }] : [],
  );
  if (statuses.length === 0) throw refusals[0]!.error;
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
    unanswered: refusals.map(({ instance, error }) => ({
      instance,
      why: `${codeOf(error)}: ${failureOf(error).message}`,
    })),
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

export interface Incident extends IncidentView {
  readonly instance: string;
}

/** Of all supervisors that answer, newest first. `since`: the latest start, before which one or another of them tells nothing. */
export async function incidentsOf(
  client: Pick<OperatorClient, 'ask'>,
  instances: readonly string[],
): Promise<{ readonly since: string | null; readonly results: readonly Incident[] }> {
  const asked = instances.length === 0 ? [undefined] : instances;
  const answers = await Promise.allSettled(asked.map((instance) => client.ask('incidents', {}, instance)));
  const told = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const results = told.flatMap(({ instance, results: seen }) => seen.map((incident) => ({ instance, ...incident })));
  return {
    since:
      told
        .map(({ since }) => since)
        .toSorted()
        .at(-1) ?? null,
    results: results.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at)),
  };
}
