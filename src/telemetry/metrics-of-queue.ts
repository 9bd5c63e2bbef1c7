import type { ScrapeMetric } from './metric.ts';
import { shows } from './metric.ts';

const settingsLabels = [
  'monitor_organisations_interval',
  'pq_grace_period',
  'pq_max_random_objects',
  'pq_maxsize',
] as const;

/** Read at each scrape. mula's keep their names, labels and meaning, for the dashboards that ask for them. */
export const metricsOfQueue: readonly ScrapeMetric[] = [
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
];
