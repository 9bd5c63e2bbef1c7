import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import type { Revocation } from '../../src/protocol/requests.ts';
import { Pauses } from '../../src/queue/maintenance/pauses.ts';
import { createScheduleStore } from '../../src/queue/schedules/schedule-store.ts';
import { boefjeHash } from '../../src/tasks/data.ts';
import { on } from '../../src/telemetry/events.ts';
import { expectInvariants } from '../support/invariants.ts';
import { boefjeTask, parse, popRequest, queueUnderTest, type QueueUnderTest } from '../support/queue.ts';

const hashOf = (ooi: string, { organisation = 'aa', boefje = 'dns-records' } = {}) =>
  boefjeHash({ boefjeId: boefje, inputOoi: ooi, organisation });
const tooLow = (...hashes: readonly string[]): Revocation[] =>
  hashes.map((hash) => ({ hash, reason: 'scan-level-too-low' }));

/** Every event about tasks, from now to the end of the test: `cancelled boefje-gone 1`. */
function told(): string[] {
  const heard: string[] = [];
  const ends = [
    on('tasks.changed', ({ status, reason, tasks }) => heard.push(`${status} ${reason} ${tasks.length}`)),
    on('tasks.revoked', ({ reason, tasks }) => heard.push(`revoked ${reason} ${tasks.length}`)),
    on('tasks.queued', ({ tasks }) => heard.push(`queued ${tasks.length}`)),
  ];
  onTestFinished(() => ends.forEach((end) => end()));
  return heard;
}

const revoke = ({ sql }: QueueUnderTest, revocations: readonly Revocation[], scheduler = 'boefje') =>
  createScheduleStore(sql).revokeTasks(scheduler, { revocations });

async function pushed({ queue }: QueueUnderTest, ...tasks: ReturnType<typeof boefjeTask>[]): Promise<string[]> {
  const outcomes = await queue.push('boefje', tasks);
  return outcomes.map((outcome) => (outcome.outcome === 'queued' ? outcome.id : outcome.outcome));
}

async function ended({ sql, url, queue }: QueueUnderTest): Promise<object[]> {
  await queue.foldCounts();
  const client = new Client({ connectionString: url });
  await client.connect();
  await expectInvariants(client).finally(() => client.end());
  return sql`SELECT id, reason FROM tasks WHERE status = 'CANCELLED' ORDER BY reason, created_at`;
}

test('what is queued for a permission that ended is cancelled, a person’s and a paused one too, and nothing else', async () => {
  const under = await queueUnderTest();
  const pauses = new Pauses({ sql: under.sql, ranksFairly: async () => false, onResumed: () => {}, onError: () => {} });
  onTestFinished(() => pauses.stop());
  await pauses.pause({ scheduler: 'boefje', organisation: 'aa', plugin: null }, null);
  const [auto, manual] = await pushed(under, boefjeTask('a'), boefjeTask('b', { priority: 1 }));
  await pushed(under, boefjeTask('c'), boefjeTask('a', { organisation: 'bb' }), boefjeTask('a', { boefje: 'nmap' }));
  const heard = told();
  expect(await revoke(under, tooLow(hashOf('a'), hashOf('b'), hashOf('a'), hashOf('unheard of')))).toEqual({
    cancelled: 2,
    told: 0,
    more: false,
  });
  expect(await ended(under)).toEqual([
    { id: auto, reason: 'scan-level-too-low' },
    { id: manual, reason: 'scan-level-too-low' },
  ]);
  expect(heard).toEqual(['cancelled scan-level-too-low 2']);
  expect(await revoke(under, tooLow(hashOf('a')), 'normalizer')).toMatchObject({ cancelled: 0 });
});

test('of a shared scan the others go on', async () => {
  const under = await queueUnderTest();
  await pushed(under, boefjeTask('a', { group: 'g' }), boefjeTask('a', { group: 'g', organisation: 'bb' }));
  await revoke(under, tooLow(hashOf('a')));
  const popped = await under.queue.pop('boefje', popRequest({ limit: 5 }));
  expect(popped.map((task) => parse(task).organisation)).toEqual(['bb']);
});

test('the holder of one that has not begun is notified; what runs is left to its worker, and both keep their task', async () => {
  const under = await queueUnderTest();
  const [first, second] = await pushed(under, boefjeTask('a'), boefjeTask('b'));
  const [dispatched, running] = await under.queue.pop('boefje', popRequest({ limit: 2 }));
  await under.queue.patch([{ id: running!.id, via: 'nats', leaseId: running!.leaseId, status: 'running' }]);
  const heard = told();
  for (const revocations of [
    tooLow(hashOf('a'), hashOf('b')),
    [{ organisation: 'aa', enabled: ['nmap'], disabled: ['dns-records'] }],
  ]) {
    expect(await revoke(under, revocations)).toEqual({ cancelled: 0, told: 1, more: false });
  }
  expect(heard).toEqual(['revoked scan-level-too-low 1', 'revoked boefje-disabled 1']);
  expect([dispatched!.id, running!.id]).toEqual([first, second]);
  const done = { id: first!, via: 'nats', leaseId: dispatched!.leaseId, status: 'completed' } as const;
  expect(await under.queue.patch([done])).toMatchObject([{ ok: true }]);
});

test('of an organisation only the boefjes that are enabled stay queued, and events name the boefjes that are gone', async () => {
  const under = await queueUnderTest();
  await pushed(
    under,
    boefjeTask('a', { boefje: 'on' }),
    boefjeTask('a', { boefje: 'off' }),
    boefjeTask('a', { boefje: 'gone', priority: 1 }),
    boefjeTask('a', { boefje: 'off', organisation: 'bb' }),
  );
  const heard = told();
  const revocations = [{ organisation: 'aa', enabled: ['on'], disabled: ['off', 'another'] }];
  expect(await revoke(under, revocations)).toEqual({ cancelled: 2, told: 0, more: false });
  expect((await ended(under)).map((task) => Object.values(task)[1])).toEqual(['boefje-disabled', 'boefje-gone']);
  expect(heard.toSorted()).toEqual(['cancelled boefje-disabled 1', 'cancelled boefje-gone 1']);
  expect(await under.queue.pop('boefje', popRequest({ limit: 5 }))).toHaveLength(2);
});

test('a boefje with tens of thousands of queued tasks goes in sets of a thousand, and wakes no pop', async () => {
  const under = await queueUnderTest();
  await under.sql`
    WITH made AS (
      INSERT INTO tasks (id, scheduler_id, organisation, type, hash, data, status)
      SELECT gen_random_uuid(), 'boefje', 'aa', 'boefje', md5(n::text), '{"boefje":{"id":"off"}}', 'QUEUED'
      FROM generate_series(1, 25000) AS n RETURNING id, hash, created_at)
    INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin)
    SELECT 'boefje', 2, created_at, id, hash, 'aa', 'off' FROM made`;
  const heard = told();
  const revocations = [{ organisation: 'aa', enabled: ['on'], disabled: ['off'] }];
  expect(await revoke(under, revocations)).toEqual({ cancelled: 20_000, told: 0, more: true });
  expect(await revoke(under, revocations)).toEqual({ cancelled: 5_000, told: 0, more: false });
  expect(new Set(heard)).toEqual(new Set(['cancelled boefje-disabled 1000']));
  expect(heard).toHaveLength(25);
  expect(await ended(under)).toHaveLength(25_000);
});

test('beside claims and pushes each task is cancelled, reported, or handed out and known to be, once', async () => {
  const under = await queueUnderTest();
  const oois = Array.from({ length: 2_000 }, (_, at) => `ooi-${at}`);
  await pushed(under, ...oois.map((ooi) => boefjeTask(ooi)));
  const popping = Promise.all(Array.from({ length: 20 }, () => under.queue.pop('boefje', popRequest({ limit: 50 }))));
  const revoking = revoke(under, tooLow(...oois.map((ooi) => hashOf(ooi))));
  const pushing = pushed(under, ...oois.map((ooi) => boefjeTask(ooi, { organisation: 'bb' })));
  const [claimed, answer] = await Promise.all([popping, revoking, pushing]);
  const handed = claimed.flat().filter((task) => parse(task).organisation === 'aa').length;
  expect(answer.cancelled + handed).toBe(2_000);
  expect(answer.told).toBe(handed);
  await ended(under);
});
