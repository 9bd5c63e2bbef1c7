import {
  count,
  each,
  gauge,
  increase,
  mean,
  type Query,
  quantile,
  quantiles,
  quotient,
  rate,
  select,
} from './dashboard-queries.ts';

/** One panel of curves. */
export interface Panel {
  readonly title: string;
  /** By default the help of its metrics. */
  readonly description?: string;
  readonly queries: readonly Query[];
  readonly stacked?: true;
  /** Regular expression of the legends that use the right axis, without a unit. */
  readonly right?: string;
}

/** One figure. */
export interface Stat {
  readonly title: string;
  readonly description?: string;
  readonly expr: string;
  readonly unit: string;
  /** Colours, each with the lowest value that has it. */
  readonly steps: readonly (readonly [color: string, from: number | null])[];
}

/** Green below the first. */
const red = (orange: number, from: number): Stat['steps'] => [
  ['green', null],
  ['orange', orange],
  ['red', from],
];
/** The row at the top. */
export const stats: readonly Stat[] = [
  {
    title: 'Supervisors',
    expr: `sum(${select('up')})`,
    unit: 'none',
    steps: [
      ['red', null],
      ['green', 1],
    ],
  },
  { title: 'Actors down', expr: count('rota_actor_up', '== 0'), unit: 'none', steps: red(1, 1) },
  {
    title: 'Links down',
    description: 'Database or NATS, as each supervisor sees it',
    expr: count('rota_link_up', '== 0'),
    unit: 'none',
    steps: red(1, 1),
  },
  { title: 'Sources lost', expr: count('rota_event_source_connected', '== 0'), unit: 'none', steps: red(1, 1) },
  { title: 'Circuits open', expr: count('rota_circuit_state', '== 1', 'state="open"'), unit: 'none', steps: red(1, 3) },
  {
    title: 'Dead letters',
    expr: `sum(${gauge('rota_event_backlog', { where: 'state="dead"' }).expr})`,
    unit: 'none',
    steps: red(1, 100),
  },
  { title: 'Queued', expr: `sum(${gauge('scheduler_qsize').expr})`, unit: 'short', steps: [['blue', null]] },
  {
    title: 'Head of the queue waits',
    expr: gauge('rota_queue_head_seconds', { by: [] }).expr,
    unit: 's',
    steps: red(600, 3_600),
  },
];

/** By title of the row: its lines of panels. The panels of a line share its width. */
export const rows: Readonly<Record<string, readonly (readonly Panel[])[]>> = {
  Flow: [
    [
      {
        title: 'Queued and handed out',
        queries: [
          rate('rota_tasks_queued_total', { legend: 'queued {{scheduler}}' }),
          rate('rota_tasks_dispatched_total', { legend: 'handed out {{scheduler}}, {{via}}' }),
        ],
      },
      {
        title: 'Declined, by reason',
        queries: [
          rate('rota_tasks_refused_total'),
          rate('rota_tasks_revoked_total', { legend: '{{scheduler}} revoked, {{reason}}' }),
        ],
        stacked: true,
      },
      {
        title: 'Failures in a row of what waits for them',
        queries: [mean('rota_failures_in_a_row', 'failures')],
      },
      {
        title: 'Failures, by code',
        queries: [rate('rota_tasks_failed_total')],
        stacked: true,
      },
      {
        title: 'Status changes',
        queries: [rate('rota_tasks_changed_total', { by: ['scheduler', 'status'] })],
        stacked: true,
      },
    ],
  ],
  'Boefjes and normalizers': [
    [
      {
        title: 'Failed tasks',
        queries: [rate('rota_plugin_tasks_total', { by: ['plugin'], where: 'status="failed"' })],
        stacked: true,
      },
      { title: 'Failures of the last 50', queries: [gauge('rota_plugin_recent_failures')] },
      { title: 'How long they run', queries: [mean('rota_plugin_run_seconds', '{{plugin}}')] },
    ],
  ],
  Queue: [
    [
      { title: 'Queue size', queries: [gauge('scheduler_qsize')] },
      { title: 'Queued by organisation', queries: [gauge('rota_queue_organisation_tasks')], stacked: true },
      { title: 'Held by a pause or a limit', queries: [gauge('rota_queue_held')] },
      { title: 'How long the next task has waited', queries: [gauge('rota_queue_head_seconds')] },
    ],
    [
      { title: 'Held by limits and windows', queries: [gauge('rota_limit_held')] },
      { title: 'The oldest that a limit holds', queries: [gauge('rota_limit_oldest_seconds')] },
      { title: 'Let go by limits', queries: [rate('rota_limit_admitted_total', { by: ['limit'] })] },
      {
        title: 'Seconds waited by what limits let go',
        queries: [rate('rota_limit_waited_seconds_total', { by: ['limit'] })],
      },
    ],
    [
      {
        title: 'Tasks by status',
        queries: [
          gauge('scheduler_task_status_counts', { by: ['scheduler_id', 'status'], where: 'status!="completed"' }),
        ],
      },
      {
        title: 'Held by workers, and pops that wait',
        queries: [
          gauge('rota_leases', { legend: 'leases {{scheduler}}' }),
          gauge('rota_waiters', { legend: 'waiters {{scheduler}}' }),
          gauge('rota_tasks_not_begun', { legend: 'not begun {{scheduler}}' }),
        ],
      },
      { title: 'Leases that ran out', queries: [rate('rota_leases_expired_total')] },
      { title: 'Schedules are late by', queries: [gauge('rota_schedule_lag_seconds')] },
    ],
  ],
  Latency: [
    [
      { title: 'From the queue to a worker', queries: quantiles('rota_queue_to_worker_seconds') },
      { title: 'From an event to the queue', queries: quantiles('rota_event_to_queue_seconds') },
      { title: 'Claim statements', queries: quantiles('rota_claim_seconds') },
      {
        title: 'Tasks and pops per claim',
        queries: [mean('rota_claim_rows', 'tasks'), mean('rota_claim_pops', 'pops')],
      },
    ],
  ],
  Events: [
    [
      { title: 'Waiting in the broker', queries: [gauge('rota_event_backlog', { where: 'state!="dead"' })] },
      { title: 'Events settled', queries: [rate('rota_events_total', { by: ['stream', 'outcome'] })] },
      { title: 'In hand', queries: [gauge('rota_events_in_hand', { by: ['stream'] })] },
      { title: 'Given up', queries: [increase('rota_events_dead_lettered_total')] },
    ],
  ],
  Actors: [
    [
      {
        title: 'Up',
        description: 'An actor that is down queues nothing; pops, pushes and the others go on',
        queries: [each('rota_actor_up', '{{actor}} on {{instance}}')],
      },
      {
        title: 'Restarts',
        queries: [
          increase('rota_actor_restarts_total'),
          increase('rota_actor_stops_total', { where: 'code!="STOPPED"' }),
        ],
      },
      { title: 'Mailboxes', queries: [gauge('rota_mailbox_depth', { by: ['actor', 'lane'] })] },
      {
        title: 'Mean wait in a mailbox',
        queries: [
          quotient(
            rate('rota_mailbox_wait_seconds_total'),
            rate('rota_mailbox_handled_total', { by: ['actor', 'lane'] }),
            's',
          ),
          gauge('rota_mailbox_oldest_seconds', { legend: 'oldest {{actor}} {{lane}}' }),
        ],
      },
    ],
    [
      {
        title: "Requests to KAT's services",
        queries: [gauge('rota_service_requests', { legend: '{{service}} of {{actor}}' })],
      },
      {
        title: 'Circuits open',
        queries: [gauge('rota_circuit_state', { where: 'state="open"', legend: '{{service}} of {{actor}}' })],
      },
      { title: 'Requests to the supervisor', queries: [gauge('rota_actor_requests')] },
    ],
  ],
  'Ranking and threads': [
    [
      { title: 'Ranking, p99 of a batch', queries: [quantile(0.99, 'rota_ranking_seconds', '{{ranker}}')] },
      {
        title: 'Ranking pool',
        queries: [
          gauge('rota_ranking_threads', { legend: 'threads' }),
          gauge('rota_ranking_waiting', { legend: 'batches that wait' }),
          gauge('rota_ranking_utilisation_ratio', { legend: 'utilisation' }),
        ],
      },
      {
        title: 'Event loop is late, p99',
        queries: [
          gauge('rota_event_loop_delay_seconds', {
            by: ['instance', 'thread'],
            where: 'statistic="p99"',
            legend: '{{thread}} on {{instance}}',
          }),
        ],
      },
      {
        title: 'Heap',
        queries: [gauge('rota_heap_bytes', { by: ['instance', 'thread'], legend: '{{thread}} on {{instance}}' })],
      },
      {
        title: 'Memory and processor',
        queries: [
          {
            expr: select('process_resident_memory_bytes'),
            legend: 'memory of {{instance}}',
            unit: 'bytes',
            help: 'Resident memory of the process',
          },
          {
            expr: `rate(${select('process_cpu_seconds_total')}[$__rate_interval])`,
            legend: 'cores of {{instance}}',
            unit: 'none',
            help: 'Processor time of the process',
          },
        ],
        right: 'cores of .*',
      },
    ],
  ],
};
