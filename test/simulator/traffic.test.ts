import { expect, test } from 'vitest';
import { Traffic } from '../../src/simulator/traffic.ts';
import { createWorld, type World } from '../../src/simulator/world.ts';

const size = { organisations: 2, objects: 5, boefjes: 3, seed: 7 };

const referencesOf = (world: World) =>
  [...world.organisations.values()].map(({ objects }) => [...objects.keys()].toSorted());

function publisher() {
  const events: string[] = [];
  const publish = async (_stream: string, body: unknown) => {
    const { operation, primary_key: key } = body as { operation: string; primary_key: string };
    events.push(`${operation} ${key}`);
  };
  return { events, publish };
}

test('each object that is found is a new one, of the organisations in turn, and is there before its event', async () => {
  const world = createWorld(size);
  const traffic = new Traffic(world, { seed: 7, found: 0 });
  const { events, publish } = publisher();
  for (let count = 0; count < 8; count += 1) await traffic.find({ publish });
  expect(new Set(events).size).toBe(8);
  expect(referencesOf(world).map((references) => references.length)).toEqual([9, 9]);
  for (const event of events) expect(referencesOf(world).flat()).toContain(event.replace('create ', ''));
});

test('a later run of the same world has what was found, and goes on after it', async () => {
  const [before, after] = [createWorld(size), createWorld(size)];
  const first = new Traffic(before, { seed: 7, found: 0 });
  const { events, publish } = publisher();
  for (let count = 0; count < 5; count += 1) await first.find({ publish });
  const second = new Traffic(after, { seed: 7, found: first.found });
  expect(referencesOf(after)).toEqual(referencesOf(before));
  await second.find({ publish });
  expect(new Set(events).size).toBe(6);
});

test('the oldest found leaves, with an event, once there are a thousand; the first ones stay', async () => {
  const world = createWorld(size);
  const traffic = new Traffic(world, { seed: 7, found: 1_000 });
  const { events, publish } = publisher();
  await traffic.find({ publish });
  const [created, deleted] = events;
  expect(created).toMatch(/^create /);
  expect(deleted).toMatch(/^delete /);
  expect(referencesOf(world).flat()).not.toContain(deleted!.replace('delete ', ''));
  expect(referencesOf(world).flat()).toHaveLength(1_000 + 2 * size.objects);
});

test('what could not be published is found again', async () => {
  const traffic = new Traffic(createWorld(size), { seed: 7, found: 0 });
  const away = async () => Promise.reject(new Error('NATS is away'));
  await expect(traffic.find({ publish: away })).rejects.toThrow('away');
  expect(traffic.found).toBe(0);
});
