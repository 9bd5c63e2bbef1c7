import { codeOf } from '../errors.ts';
import { failureOf } from '../mailbox/failure.ts';
import type { RotaClient } from '../nats/client.ts';
import type { ActorView, SchedulerView, SourceView, SupervisorView } from '../protocol/operator.ts';
import { age, ageOf, megabytes, moment, rateOf, tableOf, whenOf } from './table.ts';

/** `rota status --json`. */
export interface Overview {
  readonly supervisors: readonly Omit<SupervisorView, 'schedulers' | 'sources' | 'unknown'>[];
  /** Over all supervisors: figures of the database are the same for each, waiters and rates are sums. */
  readonly schedulers: readonly SchedulerView[];
  /** The broker's figures are the same for every supervisor: these come from one that reaches it. */
  readonly sources: readonly SourceView[];
  /** Supervisors that answered a ping, but not `status` in time. */
  readonly unanswered: readonly { readonly instance: string; readonly why: string }[];
  /** Parts of a supervisor's answer that it could not find out. */
  readonly unknown: readonly { readonly instance: string; readonly part: string; readonly why: string }[];
}

/** Asks each supervisor. @throws the first one's refusal if none answers. */
export async function overviewOf(client: RotaClient, instances: readonly string[]): Promise<Overview> {
  const asked = instances.length === 0 ? [undefined] : instances;
  const answers = await Promise.allSettled(
    asked.map((instance) => client.ctl<SupervisorView>('status', {}, instance === undefined ? {} : { instance })),
  );
  const statuses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  const refusals = answers.flatMap((answer, at) =>
    answer.status === 'rejected' ? [{ instance: asked[at] ?? 'any', error: answer.reason as unknown }] : [],
  );
  if (statuses.length === 0) throw refusals[0]!.error;
  return {
    supervisors: statuses.map(({ instance, version, started_at, pid, rss_bytes, actors }) => ({
      instance,
      version,
      started_at,
      pid,
      rss_bytes,
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
    };
  });
}

function sourcesOf(statuses: readonly SupervisorView[]): readonly SourceView[] {
  const all = Map.groupBy(
    statuses.flatMap(({ sources }) => sources),
    ({ source }) => source,
  );
  return [...all.values()].map((same) => same.find(({ error }) => error === null) ?? same[0]!);
}

/** The overview as tables, problems first, without the empty ones. `width`: the terminal's columns, null for a pipe. */
export function renderOverview(overview: Overview, width: number | null): string {
  const actors = overview.supervisors.flatMap(({ instance, actors }) => actors.map((actor) => ({ instance, actor })));
  const services = actors.flatMap(({ instance: on, actor }) =>
    (actor.thread?.services ?? []).map((it) => ({ ...it, of: actor.name, on })),
  );
  const sections = [
    ...section(['PROBLEM', 'WHAT'], problemsOf(overview), width, { wrap: true }),
    tableOf(
      ['SUPERVISOR', 'VERSION', 'UP', 'PID', 'MEMORY'],
      overview.supervisors.map((it) => [
        it.instance,
        it.version,
        ageOf(it.started_at),
        it.pid,
        megabytes(it.rss_bytes),
      ]),
      width,
    ),
    tableOf(
      ['QUEUE', 'QUEUED', 'HELD', 'OLDEST', 'LEASED', 'WAITERS', 'IN/S', 'OUT/S', 'SCHEDULES LATE'],
      overview.schedulers.map((it) => [
        it.id,
        it.queued,
        it.held_is_least ? `${it.held}+` : it.held,
        age(it.oldest_seconds),
        it.leased,
        it.waiters,
        it.in_per_second.toFixed(1),
        it.out_per_second.toFixed(1),
        age(it.schedule_lag_seconds),
      ]),
      width,
    ),
    ...section(['WAITING IN', 'TASKS', 'RATE', 'EMPTY', 'LAST ASKED'], overview.schedulers.flatMap(waitOf), width),
    actorTable(
      actors.map(({ instance, actor }) => ({ instance, ...actor })),
      width,
    ),
    ...section(
      ['SOURCE', 'WAITING', 'RETRYING', 'DEAD', 'ERROR'],
      overview.sources.map((it) => [it.source, it.waiting, it.retrying, it.dead, it.error]),
      width,
    ),
    ...section(
      ['EVENTS', 'ON', 'UP', 'IN HAND', 'DONE', 'RETRIED', 'GIVEN UP', 'ERROR'],
      actors.flatMap(({ instance, actor }) =>
        (actor.thread?.streams ?? []).map((it) => [
          it.stream,
          instance,
          it.connected ? 'yes' : 'no',
          it.in_hand,
          it.done,
          it.retried,
          it.dead_lettered,
          it.last_error,
        ]),
      ),
      width,
    ),
    ...section(
      ['SERVICE', 'OF', 'ON', 'CIRCUIT', 'IN FLIGHT', 'ERROR'],
      services
        .filter((it) => !isHealthy(it))
        .map((it) => [it.service, it.of, it.on, it.circuit, it.in_flight, it.last_error]),
      width,
    ),
    ...healthyLine(services.filter(isHealthy)),
  ];
  return sections.join('\n\n');
}

/** Schedules that are due are looked at each second or so: a minute late is late. */
const lateSeconds = 60;

/** What an operator should look at, each in a line. */
function problemsOf({ supervisors, schedulers, sources, unanswered, unknown }: Overview): string[][] {
  return [
    ...unanswered.map(({ instance, why }) => [`supervisor ${instance}`, `does not answer: ${why}`]),
    ...unknown.map(({ instance, part, why }) => [`supervisor ${instance}`, `cannot tell about the ${part}: ${why}`]),
    ...supervisors.flatMap(({ instance, actors }) => actors.flatMap((actor) => problemsOfActor(actor, instance))),
    ...schedulers
      .filter(({ schedule_lag_seconds: late }) => (late ?? 0) >= lateSeconds)
      .map(({ id, schedule_lag_seconds: late }) => [`schedules of ${id}`, `${age(late)} late`]),
    ...sources.flatMap(({ source, dead, error, full }) => [
      ...[error, full].flatMap((text) => (text === null ? [] : [[source, text]])),
      ...((dead ?? 0) > 0 ? [[source, `${dead} given up: rota dead list`]] : []),
    ]),
  ];
}

function problemsOfActor({ name, phase, last_failure: failure, thread }: ActorView, instance: string): string[][] {
  const why = (text: string | null | undefined) => (text ? `: ${text}` : '');
  return [
    ...(phase === 'running' ? [] : [[`actor ${name} on ${instance}`, phase + why(failure?.message)]]),
    ...(thread?.streams ?? [])
      .filter(({ connected }) => !connected)
      .map((it) => [`events ${it.stream} on ${instance}`, `not connected${why(it.last_error)}`]),
    ...(thread?.services ?? [])
      .filter(({ circuit }) => circuit !== 'closed')
      .map((it) => [`${it.service} of ${name} on ${instance}`, `circuit ${it.circuit}${why(it.last_error)}`]),
  ];
}

type ServiceView = NonNullable<ActorView['thread']>['services'][number];

const isHealthy = ({ circuit, last_error: error }: ServiceView) => circuit === 'closed' && error === null;

/** Of a dozen supervisors with three services each no operator reads the rows that say `closed`. */
function healthyLine(services: readonly ServiceView[]): readonly string[] {
  if (services.length === 0) return [];
  const flying = services.reduce((sum, it) => sum + it.in_flight, 0);
  const names = [...new Set(services.map(({ service }) => service))].join(', ');
  return [
    `${services.length} ${services.length === 1 ? 'circuit is' : 'circuits are'} closed (${names}), with ${flying} requests in flight`,
  ];
}

/** When what waits in a queue will be handed out, or that it cannot be told; nothing of a queue in which nothing waits. */
function waitOf(scheduler: SchedulerView): readonly (readonly (string | number)[])[] {
  const {
    id,
    queued,
    held,
    held_is_least: least,
    per_second: rate,
    estimated_empty_at: at,
    asked_at: asked,
  } = scheduler;
  const waiting = (queued ?? 0) - (held ?? 0);
  if (waiting === 0) return [];
  const tasks = least ? `${held}+` : waiting;
  const cause = least
    ? 'not all that is held was counted'
    : rate === null
      ? 'none is handed out'
      : 'nobody asks any more';
  const empty = at === null ? `unknown: ${asked === null ? 'nobody asks' : cause}` : `${whenOf(at)}, ${moment(at)}`;
  return [[id, tasks, rate === null ? '-' : rateOf(rate), empty, asked === null ? 'never' : whenOf(asked)]];
}

function section(...table: Parameters<typeof tableOf>): string[] {
  return table[1].length === 0 ? [] : [tableOf(...table)];
}

export function actorTable(
  actors: readonly (ActorView & { readonly instance: string })[],
  width: number | null,
): string {
  const head = ['ACTOR', 'ON', 'STATE', 'RESTARTS', 'MAILBOX', 'OLDEST', 'HEAP', 'LOG', 'FAILURE'];
  return tableOf(head, actors.map(actorRow), width);
}

function actorRow({
  instance,
  name,
  phase,
  restarts,
  retry_at,
  last_failure,
  thread,
}: ActorView & { readonly instance: string }) {
  const state = retry_at === null ? phase : `${phase}, again ${age((Date.parse(retry_at) - Date.now()) / 1_000)}`;
  return [
    name,
    instance,
    state,
    restarts,
    thread?.mailbox.depth ?? null,
    thread === null ? null : age(thread.mailbox.oldest_ms / 1_000),
    thread === null ? null : megabytes(thread.heap_bytes),
    thread?.log_level ?? null,
    last_failure?.message ?? null,
  ];
}
