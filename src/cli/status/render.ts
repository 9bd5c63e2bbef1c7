import { age, ageOf, megabytes } from '../format.ts';
import { tableOf } from '../table.ts';
import { line } from '../terminal.ts';
import type { ActorStatus, Overview } from './overview.ts';

/** The overview as tables, each left out where it has no row; `width` of the terminal, null for a pipe. */
export function renderOverview(overview: Overview, width: number | null): string {
  const actors = overview.supervisors.flatMap(({ instance, actors }) => actors.map((actor) => ({ instance, actor })));
  const sections = [
    ...overview.unanswered.map(({ instance, why }) => line`supervisor ${instance} does not answer: ${why}`),
    ...overview.unknown.map(
      ({ instance, part, why }) => line`supervisor ${instance} cannot tell about the ${part}: ${why}`,
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
        it.held,
        age(it.oldest_seconds),
        it.leased,
        it.waiters,
        it.in_per_second.toFixed(1),
        it.out_per_second.toFixed(1),
        age(it.schedule_lag_seconds),
      ]),
      width,
    ),
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
      actors.flatMap(({ instance, actor }) =>
        (actor.thread?.services ?? []).map((it) => [
          it.service,
          actor.name,
          instance,
          it.circuit,
          it.in_flight,
          it.last_error,
        ]),
      ),
      width,
    ),
  ];
  return sections.join('\n\n');
}

function section(head: readonly string[], rows: Parameters<typeof tableOf>[1], width: number | null): string[] {
  return rows.length === 0 ? [] : [tableOf(head, rows, width)];
}

export function actorTable(
  actors: readonly (ActorStatus & { readonly instance: string })[],
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
}: ActorStatus & { readonly instance: string }) {
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
