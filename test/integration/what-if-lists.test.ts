import { expect, test } from 'vitest';
import { readSnapshot } from '../../src/simulator/what-if/read-snapshot.ts';
import { readCatalog } from '../../src/supervisor/catalog.ts';
import { boefjeTask, queueUnderTest } from '../support/queue.ts';

const schedulers = (await readCatalog()).actors.map(({ name }) => name);

test('of lists that are longer than they may be so many are read, of each scheduler alike, and it says so', async () => {
  const { queue, sql, url } = await queueUnderTest();
  await sql.unsafe(`INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, claimed_at, ended_at)
    SELECT gen_random_uuid(), 'boefje', 'before', 'boefje', n, 2, jsonb_build_object('boefje', jsonb_build_object('id', 'b' || n % 2)),
      'COMPLETED', now() - interval '2 minutes', now() FROM generate_series(1, 30) n`);
  for (const organisation of ['aa', 'bb', 'cc']) await queue.push('boefje', [boefjeTask(undefined, { organisation })]);
  await sql.unsafe(`DELETE FROM virtual_times`);
  await sql.unsafe(`INSERT INTO virtual_times (scheduler, image, rank)
    SELECT 'boefje', 'i' || n, n FROM generate_series(1, 3) n UNION ALL SELECT 'normalizer', '', 1`);
  await sql.unsafe(`INSERT INTO seen_boefjes (organisation, boefjes, recurrences)
    SELECT n, '{dns}', '{"dns": "interval 720"}' FROM generate_series(1, 3) n`);
  await sql.unsafe(`INSERT INTO limiters (key, tat) SELECT n, now() + interval '1 hour' FROM generate_series(1, 3) n`);
  await sql.unsafe(
    `INSERT INTO fairness (scheduler, organisation, weight) SELECT 'boefje', n, 2 FROM generate_series(1, 3) n`,
  );
  const few = { each: 2, groups: 2, plugins: 1 };
  const snapshot = await readSnapshot(url, { days: 1, schedulers, wantsOois: false, bounds: few });
  expect(snapshot.virtualTimes.map(({ scheduler, image }) => `${scheduler} ${image}`)).toEqual([
    'boefje i3',
    'boefje i2',
    'normalizer ',
  ]);
  expect(snapshot.limitArrivals.size).toBe(2);
  expect(snapshot.weights).toHaveLength(2);
  expect(snapshot.schedulers[0]!.arrivals).toHaveLength(2);
  expect([...snapshot.schedulers[0]!.service.keys()]).toHaveLength(1);
  expect(snapshot.cut).toEqual([
    '2 intervals of boefjes were read: the others are left out',
    '2 keys of limits that have no room by their rate were read: the others are left out',
    '2 weights were read: the others are left out',
    '2 virtual times of boefje, the greatest first, were read: the others are left out',
    'of the tasks of boefje that ended those of the 1 most frequent plug-ins are told apart',
    'of the tasks of boefje that no schedule makes the 2 most frequent kinds are followed',
  ]);
  const enough = { each: 3, groups: 5, plugins: 2 };
  expect((await readSnapshot(url, { days: 1, schedulers, wantsOois: false, bounds: enough })).cut).toEqual([]);
});

test('of a queue that is larger than it may be the first are read, and it says so', async () => {
  const { queue, url } = await queueUnderTest();
  await queue.push(
    'boefje',
    Array.from({ length: 60 }, (_none, n) => boefjeTask(`Hostname|internet|${n}.example`)),
  );
  const bounds = { queued: 40, schedules: 50 };
  const snapshot = await readSnapshot(url, { days: 3, schedulers, wantsOois: false, bounds });
  expect(snapshot.schedulers[0]).toMatchObject({ queued: { length: 40 }, schedules: { length: 50 } });
  expect(snapshot.cut).toEqual([
    'the first 40 queued tasks of boefje were read, then it takes no more: what comes after them is left out',
    'the first 50 schedules of boefje that fall due were read, then it takes no more: what comes after them is left out',
  ]);
});
