import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { NatsConnection } from 'nats';
import type { LeasedTask } from '../../src/tasks/task.ts';
import { type Bench, type Sample, type Suite, nameOf } from '../harness/bench.ts';
import { tenMillion } from '../harness/seeds.ts';
import { startKatOn, untilLooked, plainWorld } from '../harness/kat.ts';
import { bodyOf, leanClient, textOf } from '../harness/lean-client.ts';
import { attempt, closedLoop } from '../harness/load.ts';
import { pushedTask } from '../harness/tasks.ts';
import { noImage } from './pop-cases.ts';

const run = promisify(execFile);
const waiters = 1_000;
const workers = 8;
/** Longer than a soak: a poll that ends by itself is repeated by its sender. */
const waitMs = 600_000;
/** Requests of a soak that may fail: a disk that is busy with ten million tasks may make one wait for too long. */
const mostMishaps = 50;

export const memory: Suite = {
  name: 'memory',
  about: 'resident memory of the supervisor with its three actors, under steady work and with 1 000 pops waiting',
  run: async (bench) => {
    for (const depth of bench.quick ? [10_000, 100_000] : [1_000_000]) await measure(bench, depth);
  },
};

async function measure(bench: Bench, depth: number): Promise<void> {
  const world = plainWorld({ organisations: 300, boefjes: 20, objects: 0 });
  const stage = await startKatOn(bench, `memory${nameOf(depth)}`, world, { filling: { queued: depth, finished: 0 } });
  const { rota, client } = stage;
  try {
    await untilLooked(stage);
    const leave = park(client.connection, rota.prefix);
    // Memory does not depend on how fast the disk is meanwhile; seeding alone would take as long again.
    if (!bench.quick && (bench.suites.includes('pop') || bench.suites.includes('api'))) {
      void (await bench.stage()).seeds.prepare(tenMillion).catch(() => {});
    }
    const soakMs = bench.quick ? 2_500 : 600_000;
    const samples = await soak(client.connection, rota.prefix, rota.supervisor.pid, soakMs);
    leave();
    report(bench, nameOf(depth), samples);
  } finally {
    await stage.stop();
  }
}

/**
 * Half of them on an empty queue, half with a filter that lets nothing through: every push of a boefje wakes one of these.
 * @returns a function that ends the polling
 */
function park(connection: NatsConnection, prefix: string): () => void {
  let waits = true;
  const idle = leanClient(connection);
  for (let slot = 0; slot < waiters; slot += 1) {
    const [subject, filter] = slot % 2 === 0 ? ['pop.report', {}] : ['pop.boefje', { filters: noImage }];
    const body = bodyOf({ wait_ms: waitMs, worker: `idle ${slot}`, ...filter });
    const ask = () => {
      if (waits) idle.request(slot, `${prefix}.${subject}`, body, ask);
    };
    ask();
  }
  return () => {
    waits = false;
  };
}

/** Tasks come, go out and are completed all the time, the queue as deep as before. @returns megabytes, evenly spaced */
async function soak(connection: NatsConnection, prefix: string, pid: number, ms: number): Promise<Sample[]> {
  const client = leanClient(connection);
  const samples: Sample[] = [];
  let mishaps = 0;
  const sampling = setInterval(() => void residentOf(pid).then((value) => samples.push({ value })), ms / 100);
  try {
    await closedLoop({
      inFlight: workers,
      warmUpMs: 0,
      measureMs: ms,
      send: (slot, done, giveUp) => {
        const failed = (error: unknown) => {
          mishaps += 1;
          if (mishaps > mostMishaps) giveUp(error);
          else setTimeout(() => done(0), 200);
        };
        const ask = (subject: string, body: object, answered: (text: string) => void) =>
          client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
            attempt(failed, () => answered(textOf(message))),
          );
        ask('push.boefje', pushedTask.boefje(), () =>
          ask('pop.boefje', { worker: 'bench' }, (popped) => {
            const [task] = (JSON.parse(popped) as { results: LeasedTask[] }).results;
            ask('task.patch', { id: task!.id, lease_id: task!.lease_id, status: 'completed' }, () => done(1));
          }),
        );
      },
    });
  } finally {
    clearInterval(sampling);
  }
  return samples;
}

/** In units of a million bytes. */
async function residentOf(pid: number): Promise<number> {
  const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]);
  return (Number(stdout) * 1_024) / 1_000_000;
}

/** Flat: the last fifth of the soak beside the second, since the first is when everything is used for the first time. */
function report(bench: Bench, depth: string, samples: readonly Sample[]): void {
  const fifth = Math.floor(samples.length / 5);
  bench.record(`memory/resident-${depth}`, 'MB', samples);
  bench.record(`memory/resident-early-${depth}`, 'MB', samples.slice(fifth, 2 * fifth));
  bench.record(`memory/resident-late-${depth}`, 'MB', samples.slice(-fifth));
  bench.want(`memory/resident-${depth}`, { own: 'max', atMost: 400 });
  if (bench.quick) return;
  const of = `memory/resident-early-${depth}`;
  bench.want(`memory/resident-late-${depth}`, { against: 'early', of, atMost: 1.1 });
}
