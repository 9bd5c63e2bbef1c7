import { randomUUID } from 'node:crypto';
import type { LeasedTask } from '../../src/tasks/task.ts';
import { bodyOf, type LeanClient, textOf } from './lean-client.ts';
import { attempt } from './load.ts';

/** Tasks as they are pushed, each about something else: a boefje's gets a schedule, a normalizer's none. */
export const pushedTask = { boefje: boefjeTask, normalizer: normalizerTask } as const;

/** Behind everything that the seeds queue. */
export const pushedPriority = 2_000_000_000;

let number = 0;

function boefjeTask() {
  number += 1;
  return { organisation: `org-${number % 300}`, priority: pushedPriority, data: boefjeData(`org-${number % 300}`) };
}

function boefjeData(organization: string) {
  const plugin = number % 46;
  return {
    boefje: {
      id: `boefje-${plugin}`,
      name: `Boefje number ${plugin}`,
      version: null,
      oci_image: `ghcr.io/minvws/openkat/image-${plugin % 14}`,
    },
    input_ooi: `Hostname|internet|host-${process.pid}-${number}.example`,
    organization,
    deduplication_key: null,
  };
}

function normalizerTask() {
  number += 1;
  const organization = `org-${number % 300}`;
  const { boefje, input_ooi } = boefjeData(organization);
  const now = new Date().toISOString();
  const run = { id: randomUUID(), boefje, input_ooi, arguments: {}, organization, started_at: now, ended_at: now };
  const raw = {
    id: randomUUID(),
    boefje_meta: run,
    mime_types: [{ value: `boefje/${boefje.id}` }],
    secure_hash: null,
    hash_retrieval_link: null,
  };
  return {
    organisation: organization,
    priority: pushedPriority,
    data: { normalizer: { id: 'kat_dns_normalize', name: 'DNS records', version: null }, raw_data: raw },
  };
}

/** Whole lives of tasks, one after the other in each slot: push, pop, running, completed. Four requests each. */
export function lives(client: LeanClient, prefix: string) {
  return (slot: number, done: (count: number) => void, failed: (error: unknown) => void): void => {
    const ask = (subject: string, body: object, answered: (text: string) => void) =>
      client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
        attempt(failed, () => answered(textOf(message))),
      );
    ask('push.normalizer', pushedTask.normalizer(), () =>
      ask('pop.normalizer', { worker: 'bench', wait_ms: 10_000 }, (popped) => {
        const [task] = (JSON.parse(popped) as { results: LeasedTask[] }).results;
        const lease = { id: task!.id, lease_id: task!.lease_id };
        ask('task.patch', { ...lease, status: 'running' }, () =>
          ask('task.patch', { ...lease, status: 'completed' }, () => done(1)),
        );
      }),
    );
  };
}

/** The same, where what ended goes with the next pop: three requests each. */
export function livesSettledByPops(client: LeanClient, prefix: string) {
  const ended = new Map<number, object>();
  return (slot: number, done: (count: number) => void, failed: (error: unknown) => void): void => {
    const ask = (subject: string, body: object, answered: (text: string) => void) =>
      client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
        attempt(failed, () => answered(textOf(message))),
      );
    const take = (body: object) =>
      ask('pop.normalizer', { worker: 'bench', ...body }, (popped) => {
        const [task] = (JSON.parse(popped) as { results: LeasedTask[] }).results;
        // Another worker took it: one that settles waits for no task.
        if (task === undefined) return take({ wait_ms: 10_000 });
        const lease = { id: task.id, lease_id: task.lease_id };
        ask('task.patch', { ...lease, status: 'running' }, () => {
          ended.set(slot, { ...lease, status: 'completed' });
          done(1);
        });
      });
    ask('push.normalizer', pushedTask.normalizer(), () => {
      const patch = ended.get(slot);
      take(patch === undefined ? { wait_ms: 10_000 } : { patches: [patch] });
    });
  };
}

/** The same in sets of `size`, without the step in between: what fills the write-ahead log fastest. */
export function livesInSets(client: LeanClient, prefix: string, size: number) {
  return (slot: number, done: (count: number) => void, failed: (error: unknown) => void): void => {
    const ask = (subject: string, body: object, answered: (text: string) => void) =>
      client.request(slot, `${prefix}.${subject}`, bodyOf(body), (message) =>
        attempt(failed, () => answered(textOf(message))),
      );
    ask('push.normalizer', { tasks: Array.from({ length: size }, () => pushedTask.normalizer()) }, () =>
      ask('pop.normalizer', { worker: 'bench', limit: size, wait_ms: 10_000 }, (popped) => {
        const { results } = JSON.parse(popped) as { results: LeasedTask[] };
        const patches = results.map(({ id, lease_id }) => ({ id, lease_id, status: 'completed' }));
        ask('task.patch', { patches }, () => done(patches.length));
      }),
    );
  };
}
