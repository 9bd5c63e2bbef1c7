import { randomUUID } from 'node:crypto';
import type { NatsConnection } from 'nats';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';
import { connectNats } from '../../src/nats/connect.ts';
import { publishTaskEvents, type TaskEvent, createWake } from '../../src/nats/notifications.ts';
import { emit } from '../../src/telemetry/events.ts';

let one: NatsConnection;
let two: NatsConnection;
const prefix = `rota-${randomUUID()}`;

beforeEach(async () => {
  one = await connectNats({ servers: inject('natsUrl') });
  two = await connectNats({ servers: inject('natsUrl') });
});
afterEach(() => Promise.all([one.close(), two.close()]));

test('a wake reaches the other supervisors, never the one that sent it, whatever else comes on the subject', async () => {
  const here = createWake({ connection: one, prefix, instance: 'one' });
  const there = createWake({ connection: two, prefix, instance: 'two' });
  const own: string[] = [];
  const heard = Promise.withResolvers<[string, number]>();
  here.subscribe((scheduler) => own.push(scheduler));
  there.subscribe((scheduler, count) => heard.resolve([scheduler, count]));
  await Promise.all([one.flush(), two.flush()]);
  one.publish(`${prefix}.wake.boefje`, 'not one of ours');
  here.publish('boefje', 7);
  expect(await heard.promise).toEqual(['boefje', 7]);
  await one.flush();
  expect(own).toEqual([]);
});

test('task events are published once per set, under scheduler and status, with a reason where there is one', async () => {
  const end = publishTaskEvents({ connection: one, prefix, now: Date.now });
  const seen: [string, TaskEvent][] = [];
  const subscription = two.subscribe(`${prefix}.event.>`, { max: 4 });
  await two.flush();
  const tasks = [
    { id: 'a', organisation: 'aa' },
    { id: 'b', organisation: 'bb' },
  ];
  emit({ name: 'tasks.queued', scheduler: 'boefje', tasks });
  emit({ name: 'tasks.dispatched', scheduler: 'boefje', tasks, via: 'nats' });
  emit({ name: 'tasks.changed', scheduler: 'boefje', status: 'failed', reason: 'lease-expired', tasks: [tasks[0]!] });
  emit({ name: 'tasks.revoked', scheduler: 'boefje', reason: 'boefje-gone', tasks });
  for await (const message of subscription) seen.push([message.subject, message.json<TaskEvent>()]);
  const at = expect.any(String);
  expect(seen).toEqual([
    [`${prefix}.event.boefje.queued`, { scheduler: 'boefje', event: 'queued', at, tasks }],
    [`${prefix}.event.boefje.dispatched`, { scheduler: 'boefje', event: 'dispatched', via: 'nats', at, tasks }],
    [
      `${prefix}.event.boefje.failed`,
      { scheduler: 'boefje', event: 'failed', reason: 'lease-expired', at, tasks: [tasks[0]] },
    ],
    [`${prefix}.event.boefje.revoked`, { scheduler: 'boefje', event: 'revoked', reason: 'boefje-gone', at, tasks }],
  ]);
  end();
});

test('an event about a set too large for one message comes in several, no task missing', async () => {
  const end = publishTaskEvents({ connection: one, prefix, now: Date.now });
  const subscription = two.subscribe(`${prefix}.event.large.queued`);
  await two.flush();
  const tasks = Array.from({ length: 20_000 }, () => ({ id: randomUUID(), organisation: 'an-organisation' }));
  emit({ name: 'tasks.queued', scheduler: 'large', tasks });
  const ids = new Set<string>();
  for await (const message of subscription) {
    for (const task of message.json<TaskEvent>().tasks) ids.add(task.id);
    if (ids.size === tasks.length) break;
  }
  expect(ids.size).toBe(20_000);
  end();
});

test('an organisation whose name fits no message ends no supervisor: the other tasks of its set are published', async () => {
  const end = publishTaskEvents({ connection: one, prefix, now: Date.now });
  const subscription = two.subscribe(`${prefix}.event.giant.queued`, { max: 1 });
  await two.flush();
  const tasks = [
    { id: 'a', organisation: 'x'.repeat(2_000_000) },
    { id: 'b', organisation: 'bb' },
  ];
  emit({ name: 'tasks.queued', scheduler: 'giant', tasks });
  for await (const message of subscription) expect(message.json<TaskEvent>().tasks).toEqual([tasks[1]]);
  end();
});
