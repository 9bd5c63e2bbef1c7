import type { Command } from 'commander';
import { findingsOf, situationOf } from '../control/findings.ts';
import type { Overview } from '../control/overview.ts';
import type { ActorView, Finding, SchedulerView } from '../protocol/operator-status.ts';
import { age, ageOf, lastAsked, megabytes, moment, rateOf, whenOf } from '../control/wording.ts';
import { operators, print, remoteCommand, type RemoteOptions, withRota } from './remote.ts';
import { tableOf } from './table.ts';
import { terminalWidth } from './terminal.ts';

export function statusCommand(): Command {
  return remoteCommand(
    'status',
    'supervisors, queues, actors, event sources and services, as they are now',
    'rota status --nats nats://127.0.0.1:14222',
  ).action(async (options: RemoteOptions) => {
    const { overview, findings } = await withRota(options, async (client) =>
      situationOf(operators(client), await client.instances()),
    );
    print(options, { ...overview, findings }, () => renderOverview(overview, terminalWidth(), findings));
  });
}

/** The overview as tables, problems first, without the empty ones. `width`: the terminal's columns, null for a pipe. */
export function renderOverview(
  overview: Overview,
  width: number | null,
  findings: readonly Finding[] = findingsOf(overview),
): string {
  const actors = overview.supervisors.flatMap(({ instance, actors }) => actors.map((actor) => ({ instance, actor })));
  const services = actors.flatMap(({ instance: on, actor }) =>
    (actor.thread?.services ?? []).map((it) => ({ ...it, of: actor.name, on })),
  );
  const sections = [
    ...section(
      ['LEVEL', 'ABOUT', 'FINDING', 'DO'],
      findings.map(({ level, about, finding, advice }) => [level, about, finding, advice ?? '']),
      width,
      { wrap: true },
    ),
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
  return [[id, tasks, rate === null ? '-' : rateOf(rate), empty, lastAsked(asked)]];
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
