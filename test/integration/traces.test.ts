import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { contextOf, newTrace } from '../../src/mailbox/trace.ts';
import { runWorker } from '../../src/nats/worker.ts';
import { scanProfileDeletion, scanProfileMutation } from '../../src/simulator/events.ts';
import type { Task } from '../../src/tasks/task.ts';
import { next } from '../../src/telemetry/events.ts';
import { addOrganisation, boefje, hostname } from '../support/kat-world.ts';
import { type Collector, startCollector } from '../support/otlp-collector.ts';
import { type House, openHouse, type TestRota } from '../support/rota.ts';
import { treeOf } from '../support/span-tree.ts';

let house: House;
let collector: Collector;

beforeAll(async () => {
  house = await openHouse();
});
afterAll(() => house.stop());
beforeEach(async () => {
  collector = await startCollector();
  return () => collector.stop();
});

const spanEnded = (name: string) => next('spans.ended', ({ spans }) => spans.some((span) => span.name === name));

/** Its first look at the boefjes is over: what is added from now on comes to it by events alone. */
async function start(): Promise<TestRota> {
  const looked = spanEnded('BoefjeScheduler.process_new_boefjes');
  const rota = await house.start({ environment: { SPAN_EXPORT_GRPC_ENDPOINT: collector.url } });
  await looked;
  return rota;
}

test('one trace goes from the event through thread, push, pop by another supervisor and worker to completion', async () => {
  const first = await start();
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [hostname('a.nl')] });
  const octopoes = newTrace();
  const queued = next('tasks.queued');
  const event = scanProfileMutation(id, 'create', hostname('a.nl'));
  await house.publish('scan_profile_mutations', event, { traceparent: octopoes });
  await queued;
  await first.drain();

  const second = await start();
  const completed = next('tasks.changed', ({ status }) => status === 'completed');
  const handle = async () => {};
  const worker = runWorker({ client: house.client, scheduler: 'boefje', concurrency: 1, waitMs: 200, handle });
  const [task] = (await completed).tasks;
  await worker.stop();
  await second.drain();

  const { traceId, spanId } = contextOf(octopoes)!;
  const spans = collector.spans.filter((span) => span.traceId === traceId);
  expect(treeOf(spans, spanId)).toEqual([
    'BoefjeScheduler.process_mutations',
    '  enable-schedules',
    '  GET bytes',
    // Which organisations there are, and the plug-ins of this one.
    '  GET katalogus',
    '  GET katalogus',
    '  latest-tasks',
    '  POST bytes',
    '  push-tasks',
    '    BoefjeScheduler.push_boefje_task',
    '      task.dispatched',
    '        task.patch',
    '          task.running',
    '        task.patch',
    '          task.completed',
  ]);
  const attributesOf = (name: string) => spans.find((span) => span.name === name)!.attributes;
  expect(attributesOf('BoefjeScheduler.push_boefje_task')).toEqual({
    'rota.scheduler': 'boefje',
    'rota.organisation': id,
    'rota.task.id': task!.id,
    'rota.outcome': 'queued',
  });
  expect(attributesOf('task.completed')['rota.task.id']).toBe(task!.id);
  expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(['mula']));
});

test('a task that is cancelled because its OOI is gone says so in its own trace, linked to the event about the OOI', async () => {
  const rota = await start();
  const ooi = hostname('c.nl');
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [ooi] });
  const queued = spanEnded('BoefjeScheduler.push_boefje_task');
  await house.mutate(id, ooi, 'create');
  await queued;
  const cancelled = spanEnded('task.cancelled');
  await house.publish('scan_profile_mutations', scanProfileDeletion(id, ooi.reference));
  await cancelled;
  await rota.drain();

  const spanOf = (name: string) => collector.spans.find((span) => span.name === name)!;
  const [push, end, forget] = ['BoefjeScheduler.push_boefje_task', 'task.cancelled', 'forget-oois'].map(spanOf);
  expect(end).toMatchObject({ traceId: push!.traceId, parentId: push!.spanId });
  expect(end!.attributes['rota.reason']).toBe('ooi-gone');
  expect(end!.links).toEqual([{ traceId: forget!.traceId, spanId: forget!.spanId }]);
});

test('what the clock brings about begins a trace for each task, linked to the tick', async () => {
  const ooi = hostname('d.nl');
  const { id } = addOrganisation(house.world, { plugins: [boefje('dns')], objects: [ooi, hostname('e.nl')] });
  const rota = await start();
  await rota.drain();

  const tick = collector.spans.find(({ name }) => name === 'BoefjeScheduler.process_new_boefjes')!;
  const pushes = collector.spans.filter(({ attributes }) => attributes['rota.organisation'] === id);
  expect(pushes.map(({ name, parentId }) => [name, parentId])).toEqual([
    ['BoefjeScheduler.push_boefje_task', ''],
    ['BoefjeScheduler.push_boefje_task', ''],
  ]);
  expect(new Set(pushes.map(({ traceId }) => traceId)).size).toBe(2);
  for (const { links } of pushes) expect(links.map(({ traceId }) => traceId)).toEqual([tick.traceId]);
});

test('what a runner does over REST is linked to the trace of the task, and the task has the keys of mula alone', async () => {
  const rota = await start();
  const { id: organisation } = addOrganisation(house.world);
  const data = { organisation_id: organisation, report_recipe_id: randomUUID() };
  const pushed = await rota.ask('POST', '/schedulers/report/push', { organisation, priority: 1, data });
  const popped = await rota.ask<{ results: Task[] }>('POST', '/schedulers/report/pop');
  await rota.ask('PATCH', `/tasks/${pushed.body.id}`, { status: 'completed' });
  await rota.ask('POST', '/schedulers/report/pop');
  await rota.drain();

  const [task] = popped.body.results;
  expect(Object.keys(task!).toSorted()).toEqual(Object.keys(pushed.body).toSorted());
  const [push] = collector.spans.filter(({ name }) => name === 'POST /schedulers/{scheduler_id}/push');
  expect(treeOf(collector.spans, push!.spanId).filter((line) => /task/.test(line))).toEqual([
    'ReportScheduler.push_report_task',
    '  task.completed',
    '  task.dispatched',
  ]);
  const requestOf = (name: string) => collector.spans.filter((span) => span.name === name);
  const linkOf = (name: string) => requestOf(name)[0]!.links.map(({ spanId }) => spanId);
  // The second pop found nothing.
  expect(requestOf('POST /schedulers/{scheduler_id}/pop').map(({ spanId }) => spanId)).toEqual(
    linkOf('task.dispatched'),
  );
  expect(requestOf('PATCH /tasks/{task_id}').map(({ spanId }) => spanId)).toEqual(linkOf('task.completed'));
});
