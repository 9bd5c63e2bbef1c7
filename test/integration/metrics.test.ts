import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SupervisorView } from '../../src/protocol/operator-status.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { type Scrape, scrape } from '../support/scrape.ts';
import { queuedIn } from '../support/told.ts';

let house: House;
let rota: TestRota;

beforeAll(async () => {
  house = await openHouse();
  rota = await house.start();
});
afterAll(() => house.stop());

/** Polls /metrics until a name has the value. */
const shows = (name: string, labels: Readonly<Record<string, string>>) =>
  expect.poll(async () => (await scrape(rota.api)).value(name, labels), { message: name });

async function growth(
  names: readonly string[],
  labels: Readonly<Record<string, string>>,
  work: () => Promise<unknown>,
) {
  const of = (seen: Scrape) => names.map((name) => seen.value(name, labels) ?? 0);
  const before = of(await scrape(rota.api));
  await work();
  return async () => of(await scrape(rota.api)).map((value, n) => value - before[n]!);
}

test('one event is counted on its whole way: from the broker to the queue, and from there to a worker', async () => {
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  const stream = 'scan_profile_mutations';
  const grown = await growth(['rota_event_to_queue_seconds_count', 'rota_events_total'], { stream }, async () => {
    const queued = queuedIn(organisation);
    await house.mutate(organisation, hostname('way.nl'));
    await queued;
  });
  await expect.poll(grown).toEqual([1, 1]);
  await shows('rota_queue_organisation_tasks', { scheduler: 'boefje', organisation }).toBe(1);
  await shows('scheduler_qsize', { scheduler_id: 'boefje' }).toBe(1);
  await shows('rota_queue_head_seconds', { scheduler: 'boefje' }).toBeGreaterThan(0);

  const names = ['queue_to_worker_seconds_count', 'tasks_dispatched_total', 'claim_rows_sum', 'claim_pops_sum'];
  const handed = await growth(
    names.map((name) => `rota_${name}`),
    { scheduler: 'boefje' },
    () => house.client.pop('boefje'),
  );
  expect(await handed()).toEqual([1, 1, 1, 1]);
  await shows('rota_leases', { scheduler: 'boefje' }).toBe(1);
  await shows('scheduler_qsize', { scheduler_id: 'boefje' }).toBe(0);
  await shows('rota_queue_head_seconds', { scheduler: 'boefje' }).toBe(0);
});

test('what a pause holds is a figure of its own, and not what waits', async () => {
  const data = { boefje: { id: 'dns' }, input_ooi: 'Hostname|internet|held.nl', organization: 'held' };
  await house.client.ctl('pause', { scheduler: 'boefje', organisation: 'held' });
  await house.client.push('boefje', { organisation: 'held', priority: 1, data });
  await shows('rota_queue_held', { scheduler: 'boefje' }).toBe(1);
  await shows('rota_queue_head_seconds', { scheduler: 'boefje' }).toBe(0);
  const { schedulers } = await house.client.ctl<SupervisorView>('status');
  expect(schedulers[0]).toMatchObject({ id: 'boefje', queued: 1, held: 1, oldest_seconds: null });
  await house.client.ctl('resume', { scheduler: 'boefje', organisation: 'held' });
  await shows('rota_queue_held', { scheduler: 'boefje' }).toBe(0);
  await house.client.pop('boefje');
});

test('a task that comes back does not count as one that waited since it was made', async () => {
  const data = { boefje: { id: 'dns' }, input_ooi: 'Hostname|internet|back.nl', organization: 'aa' };
  await house.client.push('boefje', { organisation: 'aa', priority: 1, data });
  const [task] = await house.client.pop('boefje');
  await rota.ask('PATCH', `/tasks/${task!.id}`, { status: 'queued' });
  const waited = await growth(['rota_queue_to_worker_seconds_count'], { scheduler: 'boefje' }, () =>
    house.client.pop('boefje'),
  );
  expect(await waited()).toEqual([0]);
});

test('a refusal by the queue is counted by its reason', async () => {
  const data = { boefje: { id: 'dns' }, input_ooi: 'Hostname|internet|twice.nl', organization: 'aa' };
  const refused = await growth(
    ['rota_tasks_refused_total'],
    { scheduler: 'boefje', reason: 'already-queued' },
    async () => {
      const push = () => rota.ask('POST', '/schedulers/boefje/push', { organisation: 'aa', priority: 1, data });
      expect([(await push()).status, (await push()).status]).toEqual([201, 409]);
    },
  );
  expect(await refused()).toEqual([1]);
});

test('an event that was given up is counted, and is among what waits in the broker', async () => {
  const dead = next('event.dead-lettered');
  await house.publish('raw_file_received', 'not an event');
  await dead;
  const labels = { stream: 'raw_file_received' };
  await shows('rota_events_dead_lettered_total', { ...labels, code: 'INVALID_REQUEST' }).toBe(1);
  await shows('rota_event_backlog', { ...labels, state: 'dead' }).toBe(1);
  await shows('rota_event_backlog', { ...labels, state: 'waiting' }).toBe(0);
});

test('a pop that waits is a waiter, until it is answered', async () => {
  const waiting = next('waiter.parked', ({ scheduler }) => scheduler === 'report');
  const popped = house.client.pop('report', { wait_ms: 60_000 });
  await waiting;
  await shows('rota_waiters', { scheduler: 'report' }).toBe(1);
  const data = { organisation_id: 'aa', report_recipe_id: 'waited-for' };
  await house.client.push('report', { organisation: 'aa', priority: 1, data });
  expect(await popped).toHaveLength(1);
  await shows('rota_waiters', { scheduler: 'report' }).toBe(0);
});

test('a service of KAT that fails over and over is an open circuit of each actor that asks it', async () => {
  await shows('rota_circuit_state', { actor: 'boefje', service: 'katalogus', state: 'closed' }).toBe(1);
  house.kat.outage('katalogus', 'reset');
  const opened = next('circuit.changed', ({ service, state }) => service === 'katalogus' && state === 'open');
  const { id: organisation } = addOrganisation(house.world, { plugins: [boefje('dns')] });
  await house.mutate(organisation, hostname('out.nl'));
  await opened;
  await shows('rota_circuit_changes_total', { service: 'katalogus', state: 'open' }).toBeGreaterThan(0);
  await shows('rota_circuit_state', { actor: 'boefje', service: 'katalogus', state: 'closed' }).toBe(0);
  const queued = queuedIn(organisation);
  house.kat.outage('katalogus', 'none');
  await queued;
  await shows('rota_circuit_state', { actor: 'boefje', service: 'katalogus', state: 'closed' }).toBe(1);
});

test('every thread shows its heap, and those that answer for others how late their loop is', async () => {
  const seen = await scrape(rota.api);
  const threads = (name: string) => new Set(seen.series(name).map(({ thread }) => thread));
  expect(threads('rota_event_loop_delay_seconds')).toEqual(new Set(['main', 'boefje', 'normalizer', 'report']));
  expect([...threads('rota_heap_bytes')]).toEqual(expect.arrayContaining(['main', 'boefje', 'ranking-1']));
  expect(seen.value('rota_heap_bytes', { thread: 'boefje' })).toBeGreaterThan(1e6);
});

test('a restarted actor is counted; it is up again, and its mailbox is empty', async () => {
  const restarted = next('actor.started', ({ actor }) => actor === 'normalizer');
  await house.client.ctl('restart-actor', { actor: 'normalizer' });
  await restarted;
  await shows('rota_actor_restarts_total', { actor: 'normalizer' }).toBe(1);
  await shows('rota_actor_up', { actor: 'normalizer' }).toBe(1);
  await shows('rota_mailbox_depth', { actor: 'normalizer', lane: 'raw-file-received' }).toBe(0);
});

test('without SCHEDULER_COLLECT_METRICS nothing of the database is asked or shown; the rest is', async () => {
  const quiet = await house.start({
    environment: { SCHEDULER_COLLECT_METRICS: 'false', SCHEDULER_ACTORS: 'report', QUEUE_URI: '' },
  });
  await expect.poll(async () => (await scrape(quiet.api)).value('rota_actor_up', { actor: 'report' })).toBe(1);
  const seen = await scrape(quiet.api);
  for (const name of ['scheduler_qsize', 'scheduler_task_status_counts', 'rota_leases', 'rota_schedule_lag_seconds'])
    expect(seen.value(name), name).toBeNull();
  expect(seen.value('app_settings_info')).toBe(1);
  await quiet.drain();
});
