import { changedStanding, type GivenChanges } from '../../src/cli/what-if-changes.ts';
import { whatIf } from '../../src/simulator/what-if/report.ts';
import type { RunOptions } from '../../src/simulator/what-if/run.ts';
import type { QueuedTask, SchedulerSnapshot, Snapshot } from '../../src/simulator/what-if/snapshot.ts';
import { standingOf } from '../../src/simulator/what-if/standing.ts';
import { readCatalog } from '../../src/supervisor/catalog.ts';

const catalog = await readCatalog();
export const at = Date.UTC(2026, 2, 24, 9);
export const hour = 3_600_000;

function idle(name: string): SchedulerSnapshot {
  const times = { service: new Map(), serviceOfAll: null, atOnce: { lately: 0, day: 0 } };
  return { name, queued: [], schedules: [], arrivals: [], ...times };
}

/** Ranked as fair-share does: organisations take turns. */
export function queued(organisation: string, count: number): readonly QueuedTask[] {
  return Array.from({ length: count }, (_none, n) => ({
    organisation,
    plugin: 'nmap',
    image: 'kat/nmap',
    hash: `${organisation} ${n}`,
    ooi: null,
    rank: 1_000 * (n + 1),
    madeAt: at - hour,
    group: null,
  }));
}

/** Five workers, and one organisation that has most of the work. */
export function snapshotOf(more: Partial<SchedulerSnapshot> = {}): Snapshot {
  const times = { ended: 4_200, completed: 4_000, quantiles: Array.from({ length: 21 }, (_none, n) => 6 + 3 * n) };
  const boefje: SchedulerSnapshot = {
    ...idle('boefje'),
    queued: [...queued('acme', 4_000), ...queued('globex', 400)].toSorted((a, b) => a.rank - b.rank),
    schedules: queued('initech', 300).map(({ hash, ...task }, n) => ({
      ...task,
      hash: `due ${hash}`,
      deadlineAt: at + (n * 24 * hour) / 300,
      cron: null,
      intervalMs: null,
    })),
    service: new Map([['nmap', times]]),
    serviceOfAll: times,
    arrivals: [{ organisation: 'globex', plugin: 'nmap', image: 'kat/nmap', manual: false, perSecond: 30 / 3_600 }],
    atOnce: { lately: 5, day: 7 },
    ...more,
  };
  return {
    at,
    schedulers: [boefje, idle('normalizer'), idle('report')],
    leases: [],
    pauses: [],
    limits: [],
    limitArrivals: new Map(),
    weights: [],
    virtualTimes: [{ scheduler: 'boefje', image: 'kat/nmap', manual: false, rank: 1_000 }],
    follows: new Map(),
    cut: [],
  };
}

export const options: RunOptions = {
  days: 2,
  seed: 1,
  catalog,
  rankers: {},
  settings: { gracePeriodSeconds: 86_400, jitterSeconds: 18_000, maxSize: 0 },
};

export async function predict(snapshot: Snapshot, given: GivenChanges, more: Partial<RunOptions> = {}) {
  return whatIf(snapshot, await changedStanding(snapshot, standingOf(snapshot), given), { ...options, ...more });
}
