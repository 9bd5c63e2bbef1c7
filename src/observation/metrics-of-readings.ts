import { type ScrapeMetric, shows, totals } from './metric.ts';
import { settingsLabels } from './readings.ts';

const circuitStates = ['closed', 'open', 'half-open'] as const;

/**
 * Metrics that are read at each scrape: queue, actors, threads. A thread that does not answer has no samples. mula's metrics keep
 * their names, labels and meaning for existing dashboards.
 */
export const metricsOfReadings: readonly ScrapeMetric[] = [
  shows({
    name: 'app_settings_info',
    help: 'Scheduler configuration settings',
    labels: settingsLabels,
    of: 'settings',
    samples: (settings) => [[settings, 1]],
  }),
  shows({
    name: 'scheduler_qsize',
    help: 'Size of the scheduler queue',
    labels: ['scheduler_id'],
    of: 'totals',
    samples: (schedulers) => [...schedulers].map(([scheduler_id, { queued }]) => [{ scheduler_id }, queued]),
  }),
  shows({
    name: 'scheduler_task_status_counts',
    help: 'Number of tasks in each status',
    labels: ['scheduler_id', 'status'],
    of: 'totals',
    samples: (schedulers) =>
      [...schedulers].flatMap(([scheduler_id, counts]) =>
        Object.entries(counts).map(([status, value]) => [{ scheduler_id, status }, value] as const),
      ),
  }),
  shows({
    name: 'rota_queue_organisation_tasks',
    help: 'Queued tasks of the 20 organisations that have the most, and of the `other` ones together',
    labels: ['scheduler', 'organisation'],
    of: 'organisations',
    samples: (organisations) =>
      organisations.map(({ scheduler, organisation, queued }) => [
        { scheduler, organisation: organisation ?? 'other' },
        queued,
      ]),
  }),
  shows({
    name: 'rota_queue_head_seconds',
    help: 'How long the task that is handed out next has waited since it was made; 0 where none may be popped',
    labels: ['scheduler'],
    of: 'heads',
    samples: (heads) => [...heads].map(([scheduler, seconds]) => [{ scheduler }, seconds]),
  }),
  shows({
    name: 'rota_queue_held',
    help: 'Queued tasks that a pause or a limit holds, counted to 10 000',
    labels: ['scheduler'],
    of: 'held',
    samples: (schedulers) => [...schedulers].map(([scheduler, held]) => [{ scheduler }, held]),
  }),
  shows({
    name: 'rota_limit_held',
    help: 'Queued tasks that a limit or a window holds, counted to 10 000',
    labels: ['limit'],
    of: 'limits',
    samples: (limits) => limits.map(({ name, waiting }) => [{ limit: name }, waiting]),
  }),
  shows({
    name: 'rota_limit_oldest_seconds',
    help: 'Age of the oldest of those tasks; 0 where there is none',
    labels: ['limit'],
    of: 'limits',
    samples: (limits) => limits.map(({ name, oldestSeconds }) => [{ limit: name }, oldestSeconds]),
  }),
  totals({
    name: 'rota_limit_admitted_total',
    help: 'Tasks and groups that a limit let go, at all supervisors',
    labels: ['limit'],
    of: 'limits',
    samples: (limits) => limits.map(({ name, admitted }) => [{ limit: name }, admitted]),
  }),
  totals({
    name: 'rota_limit_waited_seconds_total',
    help: 'Seconds that those had waited since they were made, when they were let go; by rota_limit_admitted_total: the mean',
    labels: ['limit'],
    of: 'limits',
    samples: (limits) => limits.map(({ name, waited }) => [{ limit: name }, waited]),
  }),
  shows({
    name: 'rota_leases',
    help: 'Tasks that workers hold: dispatched or running',
    labels: ['scheduler'],
    of: 'totals',
    samples: (schedulers) =>
      [...schedulers].map(([scheduler, { dispatched, running }]) => [{ scheduler }, dispatched + running]),
  }),
  shows({
    name: 'rota_tasks_not_begun',
    help: 'Tasks popped over REST that no runner has begun for a quarter of SCHEDULER_START_WITHIN_SECONDS',
    labels: ['scheduler'],
    of: 'unbegun',
    samples: (schedulers) => [...schedulers].map(([scheduler, unbegun]) => [{ scheduler }, unbegun]),
  }),
  shows({
    name: 'rota_waiters',
    help: 'Pops that wait for work on this supervisor',
    labels: ['scheduler'],
    of: 'waiters',
    samples: (waiters) => [...waiters].map(([scheduler, parked]) => [{ scheduler }, parked]),
  }),
  shows({
    name: 'rota_schedule_lag_seconds',
    help: 'Now minus the oldest due deadline; 0 where none is due',
    labels: ['scheduler'],
    of: 'scheduleLags',
    samples: (lags) => [...lags].map(([scheduler, seconds]) => [{ scheduler }, seconds]),
  }),
  shows({
    name: 'rota_actor_up',
    help: '1 while the scheduler’s actor runs',
    labels: ['actor'],
    of: 'actors',
    samples: (actors) => actors.map(({ name, phase }) => [{ actor: name }, phase === 'running' ? 1 : 0]),
  }),
  totals({
    name: 'rota_actor_restarts_total',
    help: 'Threads started after the actor’s first one',
    labels: ['actor'],
    of: 'actors',
    samples: (actors) => actors.map(({ name, restarts }) => [{ actor: name }, restarts]),
  }),
  shows({
    name: 'rota_actor_requests',
    help: 'Requests to the supervisor that the actor waits for',
    labels: ['actor'],
    of: 'insides',
    samples: (insides) => insides.map(({ actor, requests }) => [{ actor }, requests.pending]),
  }),
  shows({
    name: 'rota_plugin_recent_failures',
    help: 'Failures among the last 50 tasks of a boefje or normalizer that ended through this supervisor; none before the 50th',
    labels: ['plugin'],
    of: 'recentFailures',
    samples: (recent) => [...recent].map(([plugin, failures]) => [{ plugin }, failures]),
  }),
  shows({
    name: 'rota_mailbox_depth',
    help: 'Messages in an actor’s mailbox by lane: queued, waiting for a place, or in hand',
    labels: ['actor', 'lane', 'state'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.flatMap(({ kind: lane, queued, waiting, inHand }) => [
          [{ actor, lane, state: 'queued' }, queued] as const,
          [{ actor, lane, state: 'waiting' }, waiting] as const,
          [{ actor, lane, state: 'in-hand' }, inHand] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_mailbox_oldest_seconds',
    help: 'How long the oldest queued message of a lane has waited',
    labels: ['actor', 'lane'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.map(({ kind: lane, oldestMs }) => [{ actor, lane }, oldestMs / 1_000] as const),
      ),
  }),
  totals({
    name: 'rota_mailbox_wait_seconds_total',
    help: 'How long messages had waited when they were handed over, added up: divide by those handled',
    labels: ['actor', 'lane'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.map(({ kind: lane, waitedMs }) => [{ actor, lane }, waitedMs / 1_000] as const),
      ),
  }),
  totals({
    name: 'rota_mailbox_handled_total',
    help: 'Messages settled by lane: done or failed',
    labels: ['actor', 'lane', 'outcome'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, lanes }) =>
        lanes.flatMap(({ kind: lane, done, failed }) => [
          [{ actor, lane, outcome: 'done' }, done] as const,
          [{ actor, lane, outcome: 'failed' }, failed] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_event_source_connected',
    help: '1 while the actor consumes the stream',
    labels: ['actor', 'stream'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.map(({ stream, connected }) => [{ actor, stream }, connected ? 1 : 0] as const),
      ),
  }),
  shows({
    name: 'rota_event_backlog',
    help: 'Event source lag, over all supervisors: events that wait in the broker, are to be tried again, or were given up',
    labels: ['stream', 'state'],
    of: 'backlog',
    samples: (backlog) =>
      backlog.flatMap(({ stream, waiting, retrying, dead }) =>
        Object.entries({ waiting, retrying, dead }).flatMap(([state, count]) =>
          count === null ? [] : [[{ stream, state }, count] as const],
        ),
      ),
  }),
  shows({
    name: 'rota_events_in_hand',
    help: 'Events that are delivered and not settled',
    labels: ['actor', 'stream'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.map(({ stream, inHand }) => [{ actor, stream }, inHand] as const),
      ),
  }),
  totals({
    name: 'rota_events_total',
    help: 'Events settled: done, retried or dead',
    labels: ['actor', 'stream', 'outcome'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, streams }) =>
        streams.flatMap(({ stream, done, retried, deadLettered }) => [
          [{ actor, stream, outcome: 'done' }, done] as const,
          [{ actor, stream, outcome: 'retried' }, retried] as const,
          [{ actor, stream, outcome: 'dead' }, deadLettered] as const,
        ]),
      ),
  }),
  shows({
    name: 'rota_circuit_state',
    help: '1 for the state in which the actor’s circuit to a service of KAT is: closed, open, half-open',
    labels: ['actor', 'service', 'state'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, services }) =>
        services.flatMap(({ service, circuit }) =>
          circuitStates.map((state) => [{ actor, service, state }, state === circuit ? 1 : 0] as const),
        ),
      ),
  }),
  shows({
    name: 'rota_service_requests',
    help: 'Requests to a service of KAT that have no answer yet',
    labels: ['actor', 'service'],
    of: 'insides',
    samples: (insides) =>
      insides.flatMap(({ actor, services }) =>
        services.map(({ service, inFlight }) => [{ actor, service }, inFlight] as const),
      ),
  }),
  shows({
    name: 'rota_build_info',
    help: 'Version of Rota and of Node.js',
    labels: ['version', 'node'],
    of: 'build',
    samples: (build) => [[build, 1]],
  }),
  shows({
    name: 'rota_link_up',
    help: '1 while what the supervisor stands on answers: database, nats',
    labels: ['part'],
    of: 'links',
    samples: (links) => Object.entries(links).map(([part, up]) => [{ part }, up ? 1 : 0]),
  }),
  shows({
    name: 'rota_heap_bytes',
    help: 'Heap in use by thread: main, each actor, each of the ranking pool',
    labels: ['thread'],
    of: 'threads',
    samples: (threads) => threads.map(({ thread, heapBytes }) => [{ thread }, heapBytes]),
  }),
  shows({
    name: 'rota_event_loop_delay_seconds',
    help: 'How late a thread’s event loop was in the last 10 to 20 seconds: p50, p99 and max',
    labels: ['thread', 'statistic'],
    of: 'threads',
    samples: (threads) =>
      threads.flatMap(({ thread, loopDelay }) =>
        loopDelay === null
          ? []
          : [
              [{ thread, statistic: 'p50' }, loopDelay.p50Ms / 1_000] as const,
              [{ thread, statistic: 'p99' }, loopDelay.p99Ms / 1_000] as const,
              [{ thread, statistic: 'max' }, loopDelay.maxMs / 1_000] as const,
            ],
      ),
  }),
  shows({
    name: 'rota_ranking_threads',
    help: 'Threads of the ranking pool that there are now: idle ones end',
    labels: [],
    of: 'ranking',
    samples: ({ threads }) => [[{}, threads]],
  }),
  shows({
    name: 'rota_ranking_waiting',
    help: 'Batches that wait for a thread of the ranking pool',
    labels: [],
    of: 'ranking',
    samples: ({ waiting }) => [[{}, waiting]],
  }),
  shows({
    name: 'rota_ranking_utilisation_ratio',
    help: 'Share of the ranking pool’s time since the start that went into ranking: 0 to 1',
    labels: [],
    of: 'ranking',
    samples: ({ utilisation }) => [[{}, utilisation]],
  }),
];
