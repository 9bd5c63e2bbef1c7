import { counts, type EventMetric, firstOf, observes } from './metric.ts';

/** From the fastest claim, 1 ms, to an intolerable one. */
const statementBuckets = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const setBuckets = [0, 1, 5, 10, 50, 100, 500, 1_000];
/** An idle Rota hands out a task within milliseconds; a busy one may be a day behind. */
const waitBuckets = [0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3_600, 14_400, 86_400];
const eventBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** KAT has about a hundred boefjes and normalizers. */
const pluginLabel = firstOf(200);
const codeLabel = firstOf(50);
/** A DNS look-up takes a second, a scan of all ports an hour. */
const runBuckets = [1, 10, 60, 300, 1_800, 7_200];

/** Metrics updated by events: once per set of tasks, of any size, except for the two latencies. */
export const metricsOfEvents: readonly EventMetric[] = [
  counts({
    name: 'rota_tasks_queued_total',
    help: 'Pushes: tasks accepted into the queue',
    labels: ['scheduler'],
    on: 'tasks.queued',
    samples: ({ scheduler, tasks }) => [[{ scheduler }, tasks.length]],
  }),
  counts({
    name: 'rota_tasks_refused_total',
    help: 'Tasks declined, by the reason of the closed list',
    labels: ['scheduler', 'reason'],
    on: 'tasks.refused',
    samples: ({ scheduler, reason, count }) => [[{ scheduler, reason }, count]],
  }),
  counts({
    name: 'rota_tasks_dispatched_total',
    help: 'Pops: tasks handed out to workers, by the way they asked',
    labels: ['scheduler', 'via'],
    on: 'tasks.dispatched',
    samples: ({ scheduler, via, tasks }) => [[{ scheduler, via }, tasks.length]],
  }),
  counts({
    name: 'rota_tasks_changed_total',
    help: 'Status changes by a worker, an operator, a scheduler or the sweeper, by the new status and what it is for',
    labels: ['scheduler', 'status', 'reason'],
    on: 'tasks.changed',
    samples: ({ scheduler, status, reason, tasks }) => [[{ scheduler, status, reason: reason ?? '' }, tasks.length]],
  }),
  counts({
    name: 'rota_plugin_tasks_total',
    help: 'Tasks that completed or failed, by boefje or normalizer: the first 200 by name, the others as `other`',
    labels: ['scheduler', 'plugin', 'status'],
    on: 'tasks.changed',
    samples: ({ scheduler, status, ended = [] }) =>
      ended.flatMap(({ plugin }) => (plugin === null ? [] : [[{ scheduler, plugin: pluginLabel(plugin), status }, 1]])),
  }),
  counts({
    name: 'rota_tasks_failed_total',
    help: 'Failed tasks by the code of their error, empty where the worker gave none: the first 50 codes, the others as `other`',
    labels: ['scheduler', 'code'],
    on: 'tasks.changed',
    samples: ({ scheduler, ended = [] }) =>
      ended.flatMap(({ code }) => (code === null ? [] : [[{ scheduler, code: codeLabel(code) }, 1]])),
  }),
  observes({
    name: 'rota_plugin_run_seconds',
    help: 'From the patch to running to the end, by boefje or normalizer: the first 200, the others as `other`',
    labels: ['plugin'],
    buckets: runBuckets,
    on: 'tasks.changed',
    samples: ({ ended = [] }) =>
      ended.flatMap(({ plugin, seconds }) =>
        plugin === null || seconds === null ? [] : [[{ plugin: pluginLabel(plugin) }, seconds]],
      ),
  }),
  counts({
    name: 'rota_tasks_revoked_total',
    help: 'Tasks that were handed out and had not begun when their permission ended; queued ones are cancelled',
    labels: ['scheduler', 'reason'],
    on: 'tasks.revoked',
    samples: ({ scheduler, reason, tasks }) => [[{ scheduler, reason }, tasks.length]],
  }),
  counts({
    name: 'rota_tasks_removed_total',
    help: 'Finished tasks removed after SCHEDULER_RETENTION_DAYS',
    labels: [],
    on: 'tasks.removed',
    samples: ({ count }) => [[{}, count]],
  }),
  counts({
    name: 'rota_schedules_removed_total',
    help: 'Schedules disabled by Rota and removed after SCHEDULER_RETENTION_DAYS',
    labels: [],
    on: 'schedules.removed',
    samples: ({ count }) => [[{}, count]],
  }),
  observes({
    name: 'rota_failures_in_a_row',
    help: 'Failures in a row of the boefje and OOI of each due schedule that was moved on because of them',
    labels: ['scheduler'],
    buckets: [2, 3, 4, 5, 6, 9],
    on: 'schedules.delayed',
    samples: ({ scheduler, failures }) => failures.map((count) => [{ scheduler }, count]),
  }),
  counts({
    name: 'rota_leases_expired_total',
    help: 'Leases that ran out, by what became of the task: requeued, failed, superseded',
    labels: ['outcome'],
    on: 'leases.expired',
    samples: ({ requeued, failed, superseded }) => [
      [{ outcome: 'requeued' }, requeued],
      [{ outcome: 'failed' }, failed],
      [{ outcome: 'superseded' }, superseded],
    ],
  }),
  observes({
    name: 'rota_claim_seconds',
    help: 'Duration of one claim statement',
    labels: ['scheduler'],
    buckets: statementBuckets,
    on: 'claim.completed',
    samples: ({ scheduler, ms }) => [[{ scheduler }, ms / 1_000]],
  }),
  observes({
    name: 'rota_claim_rows',
    help: 'Tasks that one claim statement handed out',
    labels: ['scheduler'],
    buckets: setBuckets,
    on: 'claim.completed',
    samples: ({ scheduler, rows }) => [[{ scheduler }, rows]],
  }),
  observes({
    name: 'rota_claim_pops',
    help: 'Pops that one claim statement served',
    labels: ['scheduler'],
    buckets: setBuckets,
    on: 'claim.completed',
    samples: ({ scheduler, waiters }) => [[{ scheduler }, waiters]],
  }),
  counts({
    name: 'rota_pops_parked_total',
    help: 'Pops that found nothing and wait for work',
    labels: ['scheduler'],
    on: 'waiter.parked',
    samples: ({ scheduler }) => [[{ scheduler }, 1]],
  }),
  counts({
    name: 'rota_requests_dropped_total',
    help: 'Requests over NATS that were not looked at: their answer would go to no inbox',
    labels: ['reason'],
    zeroes: [{ reason: 'reply-subject' }],
    on: 'request.dropped',
    samples: ({ reason }) => [[{ reason }, 1]],
  }),
  counts({
    name: 'rota_requests_refused_total',
    help: 'Requests and connections refused since a budget was in use: of their client, or of all clients',
    labels: ['edge', 'of'],
    zeroes: ['nats', 'rest'].flatMap((edge) => [
      { edge, of: 'client' },
      { edge, of: 'all' },
    ]),
    on: 'request.refused',
    samples: ({ edge, of }) => [[{ edge, of }, 1]],
  }),
  counts({
    name: 'rota_errors_uncaught_total',
    help: 'Errors that no handler caught: bugs. After an exception the process drains and exits, after a rejection it goes on',
    labels: ['kind'],
    zeroes: [{ kind: 'rejection' }, { kind: 'exception' }],
    on: 'error.uncaught',
    samples: ({ kind }) => [[{ kind }, 1]],
  }),
  // Costs about 0.6 µs a task, beside the 30 µs of its claim.
  observes({
    name: 'rota_queue_to_worker_seconds',
    help: 'From a task’s creation to its first claim',
    labels: ['scheduler'],
    buckets: waitBuckets,
    on: 'claim.completed',
    samples: ({ scheduler, waited }) => waited.map((seconds) => [{ scheduler }, seconds]),
  }),
  observes({
    name: 'rota_event_to_queue_seconds',
    help: 'From the broker’s delivery of an event to the commit of what it led to',
    labels: ['stream'],
    buckets: eventBuckets,
    on: 'events.committed',
    samples: ({ stream, seconds }) => seconds.map((value) => [{ stream }, value]),
  }),
  counts({
    name: 'rota_events_dead_lettered_total',
    help: 'KAT events given up, by error code',
    labels: ['stream', 'code'],
    on: 'event.dead-lettered',
    samples: ({ stream, code }) => [[{ stream, code }, 1]],
  }),
  counts({
    name: 'rota_event_source_losses_total',
    help: 'Times an event source was lost',
    labels: ['source'],
    on: 'source.lost',
    samples: ({ source }) => [[{ source }, 1]],
  }),
  counts({
    name: 'rota_actor_stops_total',
    help: 'Actor threads that ended, by code; STOPPED was asked for',
    labels: ['actor', 'code'],
    on: 'actor.stopped',
    samples: ({ actor, code }) => [[{ actor, code }, 1]],
  }),
  counts({
    name: 'rota_circuit_changes_total',
    help: 'Changes of a circuit’s state, by the new state; in between two scrapes too',
    labels: ['service', 'state'],
    on: 'circuit.changed',
    samples: ({ service, state }) => [[{ service, state }, 1]],
  }),
  observes({
    name: 'rota_ranking_seconds',
    help: 'Run time of one batch of a ranker, the wait for a thread included',
    labels: ['ranker'],
    buckets: statementBuckets,
    on: 'batch.ranked',
    samples: ({ ranker, ms }) => [[{ ranker }, ms / 1_000]],
  }),
  counts({
    name: 'rota_ranking_tasks_total',
    help: 'Tasks ranked',
    labels: ['ranker'],
    on: 'batch.ranked',
    samples: ({ ranker, tasks, failure }) => (failure === null ? [[{ ranker }, tasks]] : []),
  }),
  counts({
    name: 'rota_ranking_failures_total',
    help: 'Batches that got no ranks: the ranker threw, hung or answered nonsense, or too many batches waited',
    labels: ['ranker', 'reason'],
    on: 'batch.ranked',
    samples: ({ ranker, failure }) => (failure === null ? [] : [[{ ranker, reason: failure }, 1]]),
  }),
];
