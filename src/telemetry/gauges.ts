import { Gauge, type Registry } from 'prom-client';

/** What is read when Prometheus scrapes: cheap questions only, never a count of a whole table (#3826). */
export interface GaugeSources {
  /** Queued tasks by scheduler. */
  queueDepths(): Promise<ReadonlyMap<string, number>>;
  /** Tasks by scheduler and status, from the roll-up. */
  taskTotals(): Promise<ReadonlyMap<string, Readonly<Record<string, number>>>>;
  /** Seconds since the oldest due deadline, by scheduler; 0 where none is due. */
  scheduleLags(): Promise<ReadonlyMap<string, number>>;
  actors(): readonly { readonly actor: string; readonly up: boolean }[];
  /** Labels of mula's `app_settings_info`. */
  readonly settings: Readonly<Record<string, string | number>>;
  /** SCHEDULER_COLLECT_METRICS: false asks the database nothing, and leaves those families without samples. */
  readonly collect: boolean;
}

interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

interface GaugeFamily {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly read: () => readonly Sample[] | Promise<readonly Sample[]>;
}

/** mula's families keep their names, labels and meaning, for the dashboards that ask for them; ours begin with `rota_`. */
export function registerGauges(registry: Registry, sources: GaugeSources): void {
  const asked = <T>(ask: () => Promise<ReadonlyMap<string, T>>): Promise<ReadonlyMap<string, T>> =>
    sources.collect ? ask() : Promise.resolve(new Map());
  register(registry, {
    name: 'app_settings_info',
    help: 'Scheduler configuration settings',
    labelNames: Object.keys(sources.settings),
    read: () => [{ labels: sources.settings, value: 1 }],
  });
  register(registry, {
    name: 'scheduler_qsize',
    help: 'Size of the scheduler queue',
    labelNames: ['scheduler_id'],
    read: async () =>
      [...(await asked(() => sources.queueDepths()))].map(([scheduler_id, value]) => ({
        labels: { scheduler_id },
        value,
      })),
  });
  register(registry, {
    name: 'scheduler_task_status_counts',
    help: 'Number of tasks in each status',
    labelNames: ['scheduler_id', 'status'],
    read: async () =>
      [...(await asked(() => sources.taskTotals()))].flatMap(([scheduler_id, totals]) =>
        Object.entries(totals).map(([status, value]) => ({ labels: { scheduler_id, status }, value })),
      ),
  });
  register(registry, {
    name: 'rota_schedule_lag_seconds',
    help: 'Now minus the oldest due deadline',
    labelNames: ['scheduler'],
    read: async () =>
      [...(await asked(() => sources.scheduleLags()))].map(([scheduler, value]) => ({ labels: { scheduler }, value })),
  });
  register(registry, {
    name: 'rota_actor_up',
    help: '1 while the scheduler actor runs',
    labelNames: ['actor'],
    read: () => sources.actors().map(({ actor, up }) => ({ labels: { actor }, value: up ? 1 : 0 })),
  });
}

/** A source that cannot be asked now leaves its family without samples: the others are what one wants to see then. */
function register(registry: Registry, { name, help, labelNames, read }: GaugeFamily): void {
  const gauge = new Gauge({
    name,
    help,
    labelNames,
    registers: [],
    async collect() {
      const samples = await Promise.resolve()
        .then(read)
        .catch(() => []);
      gauge.reset();
      for (const { labels, value } of samples) gauge.set(labels, value);
    },
  });
  registry.registerMetric(gauge);
}
