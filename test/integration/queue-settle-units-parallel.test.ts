import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { ClaimedTask } from '../../src/queue/queue.ts';
import { expectInvariants } from '../support/invariants.ts';
import { byRest } from '../support/patches.ts';
import { boefjeTask, popRequest, queueUnderTest } from '../support/queue.ts';

test('groups that begin beside patches of their members, claims and sweeps of another supervisor never wait in a ring', async () => {
  const { queue, another, sql, url } = await queueUnderTest();
  const other = another();
  const groups = Array.from({ length: 25 }, (_, n) => `g${n}`);
  const pops = async (): Promise<readonly ClaimedTask[][]> => {
    const request = popRequest({ via: 'rest', limit: 40 });
    const answers = await Promise.all([queue, other].map((one) => one.pop('boefje', request)));
    return answers.flatMap((claimed) => Object.values(Object.groupBy(claimed, ({ unit }) => unit)) as ClaimedTask[][]);
  };
  for (let round = 0; round < 12; round += 1) {
    await queue.push(
      'boefje',
      groups.flatMap((group) => [1, 2, 3, 4].map((n) => boefjeTask(`${round} ${group} ${n}`, { priority: n, group }))),
    );
    const units = [...(await pops()), ...(await pops())];
    const [lead, end, back] = [3, 0, 1].map((member) => units.flatMap((unit) => unit[member % unit.length]!));
    // Each of these is sets of its own, in an order of its own; those of one supervisor share what waits.
    const half = Math.ceil(lead!.length / 2);
    await sql`UPDATE leases SET until = now() - interval '1 second' WHERE task_id IN ${sql(back!.slice(half).map(({ id }) => id))}`;
    await Promise.all([
      queue.patch(lead!.slice(0, half).map(({ id }) => byRest(id, { status: 'running' }))),
      other.patch(lead!.slice(half).map(({ id }) => byRest(id, { status: 'running' }))),
      queue.patch(end!.toReversed().map(({ id }) => byRest(id, { status: 'completed' }))),
      other.patch(back!.slice(0, half).map(({ id }) => byRest(id, { status: 'queued' }))),
      ...[queue, other].flatMap((one) => [one.sweep(), one.pop('boefje', popRequest({ via: 'rest', limit: 5 }))]),
    ]);
  }
  const client = new Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await Promise.all([queue.drain(), other.drain()]);
  await another().foldCounts();
  await expectInvariants(client);
  const { rows } = await client.query('SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()');
  expect(rows).toEqual([{ deadlocks: 0 }]);
});
