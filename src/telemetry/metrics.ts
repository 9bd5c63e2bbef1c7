import { collectDefaultMetrics, Counter, Histogram, Registry } from 'prom-client';
import { on } from './events.ts';
import { type GaugeSources, registerGauges } from './gauges.ts';

/** The registry behind /metrics: counters fed by the telemetry events, and gauges read at each scrape. */
export function createMetrics(sources: GaugeSources): { registry: Registry; stop(): void } {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const queued = new Counter({
    name: 'rota_tasks_queued_total',
    help: 'Tasks accepted',
    labelNames: ['scheduler'],
    registers,
  });
  const refused = new Counter({
    name: 'rota_tasks_refused_total',
    help: 'Tasks declined, by reason',
    labelNames: ['scheduler', 'reason'],
    registers,
  });
  const dispatched = new Counter({
    name: 'rota_tasks_dispatched_total',
    help: 'Tasks handed out',
    labelNames: ['scheduler', 'via'],
    registers,
  });
  const changed = new Counter({
    name: 'rota_tasks_changed_total',
    help: 'Task status changes by patch, release or sweep',
    labelNames: ['scheduler', 'status'],
    registers,
  });
  const expired = new Counter({
    name: 'rota_leases_expired_total',
    help: 'Leases that ran out, by what became of the task',
    labelNames: ['outcome'],
    registers,
  });
  const claims = new Histogram({
    name: 'rota_claim_seconds',
    help: 'Duration of one claim statement',
    labelNames: ['scheduler'],
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1],
    registers,
  });
  const claimSize = new Histogram({
    name: 'rota_claim_rows',
    help: 'Rows of one claim statement',
    labelNames: ['scheduler'],
    buckets: [0, 1, 5, 10, 50, 100, 500, 1000],
    registers,
  });
  const restarts = new Counter({
    name: 'rota_actor_stops_total',
    help: 'Actor threads that ended unasked, by code',
    labelNames: ['actor', 'code'],
    registers,
  });
  const dead = new Counter({
    name: 'rota_events_dead_lettered_total',
    help: 'KAT events given up',
    labelNames: ['stream', 'code'],
    registers,
  });

  registerGauges(registry, sources);

  const subscriptions = [
    on('tasks.queued', (event) => queued.inc({ scheduler: event.scheduler }, event.tasks.length)),
    on('tasks.refused', ({ scheduler, reason, count }) => refused.inc({ scheduler, reason }, count)),
    on('tasks.dispatched', ({ scheduler, via, tasks }) => dispatched.inc({ scheduler, via }, tasks.length)),
    on('tasks.changed', ({ scheduler, status, tasks }) => changed.inc({ scheduler, status }, tasks.length)),
    on('leases.expired', (event) => {
      expired.inc({ outcome: 'requeued' }, event.requeued);
      expired.inc({ outcome: 'failed' }, event.failed);
      expired.inc({ outcome: 'superseded' }, event.superseded);
    }),
    on('claim.completed', ({ scheduler, rows, ms }) => {
      claims.observe({ scheduler }, ms / 1_000);
      claimSize.observe({ scheduler }, rows);
    }),
    on('actor.stopped', ({ actor, code }) => restarts.inc({ actor, code })),
    on('event.dead-lettered', ({ stream, code }) => dead.inc({ stream, code })),
  ];
  return {
    registry,
    stop() {
      for (const off of subscriptions) off();
      registry.clear();
    },
  };
}
