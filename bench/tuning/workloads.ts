import { Backlog } from '../harness/backlog.ts';
import { bodyOf, type LeanClient, tasksIn, textOf } from '../harness/lean-client.ts';
import { lives, livesInSets } from '../harness/lives.ts';
import { attempt, closedLoop, type Load } from '../harness/load.ts';
import type { RotaOnStage } from '../harness/stage.ts';
import { pushedTask } from '../harness/tasks.ts';
import { rankOnce } from './rank.ts';
import type { Settings } from './knobs.ts';

/** What a Rota is asked while a knob is turned. */
export interface Subject {
  readonly rota: RotaOnStage;
  readonly client: LeanClient;
  readonly backlog: Backlog;
  readonly settings: Settings;
}

export interface Pace {
  readonly warmUpMs: number;
  readonly measureMs: number;
  /** Of what is slow to show. */
  readonly sustainedMs: number;
}

export type WorkloadName = keyof typeof workloads;

type Workload = (subject: Subject, pace: Pace) => Promise<number>;

/** Each answers with tasks per second. */
export const workloads = {
  /** Single pops of 64 workers from a deep queue. */
  pop: async (subject: Subject, pace: Pace) => pops(subject, pace, 64),
  /** Single pushes with schedules of 64 clients. */
  push: async (subject: Subject, pace: Pace) => pushes(subject, pace, 64),
  /** One worker, one client: what a request costs alone. */
  popOne: async (subject: Subject, pace: Pace) => pops(subject, pace, 1),
  pushOne: async (subject: Subject, pace: Pace) => pushes(subject, pace, 1),
  /** Four clients with a thousand tasks in each request. */
  pushSets: async ({ rota, client }: Subject, pace: Pace) =>
    load(pace, 4, (slot, done, failed) =>
      client.request(
        slot,
        `${rota.prefix}.push.boefje`,
        bodyOf({ tasks: Array.from({ length: 1_000 }, () => pushedTask.boefje()) }),
        (message) => attempt(failed, () => (textOf(message), done(1_000))),
      ),
    ),
  /** Push, pop, running, completed, of 64 workers. */
  lives: async ({ rota, client }: Subject, pace: Pace) => load(pace, 64, lives(client, rota.prefix)),
  /** The same in sets of a hundred. */
  sets: async ({ rota, client }: Subject, pace: Pace) => load(pace, 8, livesInSets(client, rota.prefix, 100)),
  /** As long as checkpoints and vacuums take to come round. */
  sustained: async ({ rota, client }: Subject, { warmUpMs, sustainedMs }: Pace) =>
    load({ warmUpMs, measureMs: sustainedMs }, 8, livesInSets(client, rota.prefix, 100)),
  /** A million tasks through the ranking pool. */
  rank: async ({ settings }: Subject) => rankOnce(Number(settings['SCHEDULER_RANKING_THREADS'])),
} satisfies Record<string, Workload>;

async function pops({ rota, client, backlog }: Subject, pace: Pace, inFlight: number): Promise<number> {
  const body = bodyOf({ limit: 1, worker: 'bench' });
  await backlog.refill();
  return load(pace, inFlight, (slot, done, failed) =>
    client.request(slot, `${rota.prefix}.pop.boefje`, body, (message) =>
      attempt(failed, () => done(backlog.took(tasksIn(textOf(message))))),
    ),
  );
}

async function pushes({ rota, client }: Subject, pace: Pace, inFlight: number): Promise<number> {
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
