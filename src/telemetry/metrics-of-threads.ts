import type { ScrapeMetric } from './metric.ts';
import { shows } from './metric.ts';

/** Read at each scrape: the process, its threads, and what it stands on. */
export const metricsOfThreads: readonly ScrapeMetric[] = [
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
