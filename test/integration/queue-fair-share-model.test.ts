import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Pauses } from '../../src/queue/maintenance/pauses.ts';
import type { ClaimedTask, PopRequest } from '../../src/queue/queue.ts';
import { purgeOrganisation } from '../../src/queue/settle/cancellation.ts';
import type { RunningTaskQueue } from '../../src/queue/task-queue.ts';
import { fairRanking } from '../support/fair-ranking.ts';
import { boefjeTask, popRequest, type QueueUnderTest, queueUnderTest } from '../support/queue.ts';

const organisations = ['a', 'b', 'c', 'd'] as const;
const images = ['x', 'y'] as const;
type Organisation = (typeof organisations)[number];
type Image = (typeof images)[number];

/** By how many tasks one may be ahead of another, while both have work for the image: one that begins goes behind two of each. */
const bound = 3;

/**
 * What is fair: of two organisations that both had work for an image all the while, neither was served more than `bound` tasks more
 * than the other. How they came to have work, and what was paused, cancelled or tried again before, is of no account.
 */
class Model {
  readonly #waiting = new Map<string, number>();
  readonly #paused = new Set<Organisation>();
  /** Since both have work: how many tasks the first was served more. */
  readonly #ahead = new Map<string, number>();

  waits(organisation: Organisation, image: Image, more: number): void {
    const key = `${organisation} ${image}`;
    this.#waiting.set(key, Math.max(0, (this.#waiting.get(key) ?? 0) + more));
    this.#look(image);
  }

  served(organisation: Organisation, image: Image): string | null {
    let fault: string | null = null;
    for (const [pair, ahead] of this.#ahead) {
      const [first, second, of] = pair.split(' ');
      if (of !== image || (first !== organisation && second !== organisation)) continue;
      const now = ahead + (first === organisation ? 1 : -1);
      this.#ahead.set(pair, now);
      if (Math.abs(now) > bound) fault = `${pair}: ${now}`;
    }
    this.waits(organisation, image, -1);
    return fault;
  }

  cancelled(organisation: Organisation): void {
    for (const image of images) this.waits(organisation, image, -Infinity);
  }

  paused(organisation: Organisation, holds: boolean): void {
    if (holds) this.#paused.add(organisation);
    else this.#paused.delete(organisation);
    for (const image of images) this.#look(image);
  }

  #look(image: Image): void {
    const busy = (name: Organisation) => !this.#paused.has(name) && (this.#waiting.get(`${name} ${image}`) ?? 0) > 0;
    for (const [at, first] of organisations.entries()) {
      for (const second of organisations.slice(at + 1)) {
        const pair = `${first} ${second} ${image}`;
        if (!busy(first) || !busy(second)) this.#ahead.delete(pair);
        else if (!this.#ahead.has(pair)) this.#ahead.set(pair, 0);
      }
    }
  }
}

const organisation = fc.constantFrom(...organisations);
const image = fc.constantFrom(...images);
const supervisor = fc.nat(1);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      what: fc.constant('push'),
      organisation,
      image,
      count: fc.integer({ min: 1, max: 12 }),
      supervisor,
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ what: fc.constant('pop'), image, count: fc.integer({ min: 1, max: 10 }), supervisor }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('pause'), organisation }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('resume'), organisation }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('cancel'), organisation }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('retry'), count: fc.integer({ min: 1, max: 8 }), supervisor }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('restart'), supervisor }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

interface Claimed {
  readonly task: ClaimedTask;
  readonly organisation: Organisation;
  readonly image: Image;
}

async function play({ another, sql }: QueueUnderTest, steps: readonly Step[]): Promise<string | null> {
  const model = new Model();
  const queues: RunningTaskQueue[] = [another(), another()];
  const failed: Claimed[] = [];
  const pauses = new Pauses({
    sql,
    ranksFairly: async (scheduler) => (await Promise.all(queues.map((queue) => queue.ranksFairly(scheduler))))[0]!,
    onResumed: () => {},
    onError: () => {},
  });
  const key = (name: string) => ({ scheduler: 'boefje', organisation: name, plugin: null });
  const pop = async (queue: RunningTaskQueue, of: Image, limit: number): Promise<string | null> => {
    const filters: PopRequest['filters'] = {
      filters: [{ column: 'data', field: 'boefje__oci_image', operator: 'eq', value: of }],
    };
    const claimed = await queue.pop('boefje', popRequest({ limit, leaseMs: 86_400_000, filters }));
    // Another supervisor may not know of it for a quarter of a second, which the bound leaves out; so with a push.
    await queue.ranksFairly('boefje');
    const patches = claimed.map(({ id, leaseId }) => ({ id, leaseId, via: 'rest', status: 'failed' }) as const);
    if (patches.length > 0) await queue.patch(patches);
    let fault: string | null = null;
    for (const task of claimed) {
      const { organisation: name } = JSON.parse(task.task) as { organisation: Organisation };
      failed.push({ task, organisation: name, image: of });
      fault ??= model.served(name, of);
    }
    return fault;
  };
  const fault = await each();
  await Promise.all(queues.map((queue) => queue.drain()));
  return fault;

  async function each(): Promise<string | null> {
    for (const one of steps) {
      const queue = queues['supervisor' in one ? one.supervisor : 0]!;
      if (one.what === 'push' && 'image' in one && 'organisation' in one) {
        const tasks = Array.from({ length: one.count }, () =>
          boefjeTask(undefined, { organisation: one.organisation, image: one.image }),
        );
        await queue.push('boefje', tasks);
        await queue.ranksFairly('boefje');
        model.waits(one.organisation, one.image, one.count);
      } else if (one.what === 'pop' && 'image' in one) {
        const fault = await pop(queue, one.image, one.count);
        if (fault !== null) return fault;
      } else if (one.what === 'retry' && 'count' in one) {
        const again = failed.splice(0, one.count);
        const patches = again.map(
          ({ task }) => ({ id: task.id, leaseId: null, via: 'rest', status: 'queued' }) as const,
        );
        if (patches.length > 0) await queue.patch(patches);
        for (const { organisation: name, image: of } of again) model.waits(name, of, 1);
      } else if (one.what === 'restart') {
        await queue.drain();
        queues[one.supervisor] = another();
      } else if ('organisation' in one) {
        if (one.what === 'pause') await pauses.pause(key(one.organisation), null);
        if (one.what === 'resume') await pauses.resume(key(one.organisation));
        if (one.what === 'cancel') await purgeOrganisation(sql, ['boefje'], one.organisation, 'ann');
        if (one.what === 'cancel') model.cancelled(one.organisation);
        // Purging an organisation removes its pauses.
        model.paused(one.organisation, one.what === 'pause');
      }
    }
    return null;
  }
}

test(
  'organisations that have work take turns, after any history of pauses, cancellations, retries and restarts',
  { timeout: 240_000 },
  async () => {
    // One database for all runs: each has connections, and a server has a hundred.
    const under = await queueUnderTest({ ranking: fairRanking, maxAttempts: 1_000 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
        await under.sql.unsafe('TRUNCATE queue, queue_floors, tasks, leases, virtual_times, fairness, pauses CASCADE');
        expect(await play(under, steps as readonly Step[])).toBeNull();
      }),
      { numRuns: 20 },
    );
  },
);
