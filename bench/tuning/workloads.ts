import { batchOf } from '../../src/ranking/batch.ts';
import { createRanking } from '../../src/ranking/pool.ts';
import { readRankers } from '../../src/supervisor/catalog.ts';

import { bodyOf, tasksIn, textOf } from '../harness/lean-client.ts';
import { lives, livesInSets, pushedTask } from '../harness/tasks.ts';
import { attempt, closedLoop, type Load } from '../harness/load.ts';
import type { Candidate } from './candidates.ts';

export interface Pace {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Of what is slow to show. */
  readonly sustainedMs: number;
}

export type WorkloadName = keyof typeof workloads;

type Workload = (candidate: Candidate, pace: Pace) => Promise<number>;

/** Each answers with tasks per second. */
export const workloads = {
  /** Single pops of 64 workers from a deep queue. */
  pop: async (candidate: Candidate, pace: Pace) => pops(candidate, pace, 64),
  /** Single pushes with schedules of 64 clients. */
  push: async (candidate: Candidate, pace: Pace) => pushes(candidate, pace, 64),
  /** One worker, one client: what a request costs alone. */
  popOne: async (candidate: Candidate, pace: Pace) => pops(candidate, pace, 1),
  pushOne: async (candidate: Candidate, pace: Pace) => pushes(candidate, pace, 1),
  /** Four clients with a thousand tasks in each request. */
  pushSets: async ({ rota, client }: Candidate, pace: Pace) =>
    load(pace, 4, (slot, done, failed) =>
      client.request(
        slot,
        `${rota.prefix}.push.boefje`,
        bodyOf({ tasks: Array.from({ length: 1_000 }, () => pushedTask.boefje()) }),
        (message) => attempt(failed, () => (textOf(message), done(1_000))),
      ),
    ),
  /** Push, pop, running, completed, of 64 workers. */
  lives: async ({ rota, client }: Candidate, pace: Pace) => load(pace, 64, lives(client, rota.prefix)),
  /** The same in sets of a hundred. */
  sets: async ({ rota, client }: Candidate, pace: Pace) => load(pace, 8, livesInSets(client, rota.prefix, 100)),
  /** As long as checkpoints and vacuums take to come round. */
  sustained: async ({ rota, client }: Candidate, { warmUpMs, sustainedMs }: Pace) =>
    load({ warmUpMs, measureMs: sustainedMs }, 8, livesInSets(client, rota.prefix, 100)),
  /** A million tasks through the ranking pool. */
  rank: async ({ settings }: Candidate) => rankOnce(Number(settings['SCHEDULER_RANKING_THREADS'])),
} satisfies Record<string, Workload>;

async function pops({ rota, client, backlog }: Candidate, pace: Pace, inFlight: number): Promise<number> {
  const body = bodyOf({ limit: 1, worker: 'bench' });
  await backlog.refill();
  return load(pace, inFlight, (slot, done, failed) =>
    client.request(slot, `${rota.prefix}.pop.boefje`, body, (message) =>
      attempt(failed, () => done(backlog.took(tasksIn(textOf(message))))),
    ),
  );
}

async function pushes({ rota, client }: Candidate, pace: Pace, inFlight: number): Promise<number> {
  return load(pace, inFlight, (slot, done, failed) =>
    client.request(slot, `${rota.prefix}.push.boefje`, bodyOf(pushedTask.boefje()), (message) =>
      attempt(failed, () => (textOf(message), done(1))),
    ),
  );
}

async function load(
  { warmUpMs, measureMs }: Pick<Pace, 'warmUpMs' | 'measureMs'>,
  inFlight: number,
  send: Load['send'],
): Promise<number> {
  return (await closedLoop({ inFlight, warmUpMs, measureMs, send })).value;
}

const rankersDirectory = new URL('../../actors/rankers/', import.meta.url);
const count = 1_000_000;
const repetitions = 5;

/** @returns tasks per second */
async function rankOnce(threads: number): Promise<number> {
  const pool = createRanking({ files: await readRankers(rankersDirectory), threads, deadlineMs: 60_000 });
  try {
    const batch = batchOf(
      Array.from({ length: count }, (_, at) => ({
        createdAt: (1_750_000_000 + at) * 1_000,
        lastRunAt: (1_740_000_000 + at) * 1_000,
        occurredAt: null,
        manual: false,
        organisation: `org-${at % 300}`,
        image: 'boefje',
      })),
      { now: 1_760_000_000_000, gracePeriodSeconds: 86_400 },
    );
    // The threads start at the first.
    await pool.rank('recency', batch);
    const began = performance.now();
    for (let at = 0; at < repetitions; at += 1) await pool.rank('recency', batch);
    return ((count * repetitions) / (performance.now() - began)) * 1_000;
  } finally {
    await pool.close();
  }
}
