import type { Readings } from '../../src/observation/readings.ts';

/** Of a supervisor without schedulers and without actors, for tests that look at something else. */
export const quietReadings: Readings = {
  settings: () => ({ monitor_organisations_interval: 60, pq_grace_period: 0, pq_max_random_objects: 0, pq_maxsize: 0 }),
  build: () => ({ version: '0', node: 'v0' }),
  links: async () => ({ database: true, nats: true }),
  totals: async () => new Map(),
  organisations: async () => [],
  heads: async () => new Map(),
  held: async () => new Map(),
  limits: async () => [],
  unbegun: async () => new Map(),
  scheduleLags: async () => new Map(),
  backlog: async () => [],
  waiters: () => new Map(),
  recentFailures: () => new Map(),
  actors: () => [],
  insides: async () => [],
  threads: async () => [],
  ranking: () => ({ threads: 0, waiting: 0, utilisation: 0, ranked: 0, failed: 0 }),
};
