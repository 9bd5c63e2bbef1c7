import { randomUUID } from 'node:crypto';
import { expect, inject, onTestFinished, test } from 'vitest';
import { type RotaClient, connectRota } from '../../src/nats/client.ts';
import { connect } from '../../src/postgres/pool.ts';
import { parse, popRequest, queueUnderTest } from '../support/queue.ts';
import { startWire } from '../support/wire.ts';

/** Tasks of 1.9 MB, which no message of 1 MB can hold, on a real queue and a real NATS server. */
const giants = 100;
const text = 'x'.repeat(1_900_000);

const task = (organisation: string, more: object = {}) => ({
  id: randomUUID(),
  organisation,
  data: { boefje: { id: 'dns-records', name: 'DNS' }, input_ooi: randomUUID(), organization: organisation, ...more },
});

async function stage() {
  const { queue, sql, url } = await queueUnderTest();
  const wire = await startWire({ natsUrl: inject('natsUrl'), queue });
  onTestFinished(() => wire.stop());
  // What is in the queue came by REST or an event, where a message may be larger: one by one, as 550 MB of parameters.
  const big = Array.from({ length: giants }, () => task('giant'));
  await queue.push('boefje', big);
  const patient = connect(url, { max: 1, statementMs: 60_000 });
  onTestFinished(() => patient.end());
  await patient.unsafe(
    `UPDATE tasks SET data = data || jsonb_build_object('dispatches', jsonb_build_array($1::text))`,
    [text],
  );
  return { queue, sql, wire };
}

async function timed<T>(work: Promise<T>): Promise<{ ms: number; value: T }> {
  const began = performance.now();
  const value = await work;
  return { ms: performance.now() - began, value };
}

test('tasks that fit into no message: each pop is answered in its time, they fail with a reason, and the rest is handed out', async () => {
  const { queue, sql, wire } = await stage();
  const before = process.memoryUsage().rss;
  let most = before;
  const watching = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  onTestFinished(() => clearInterval(watching));
  await queue.push('boefje', [task('small'), task('small')]);
  const longest = [];
  const popped = [];
  const patient: RotaClient = await connectRota({ servers: inject('natsUrl'), prefix: wire.prefix, timeoutMs: 25_000 });
  onTestFinished(() => patient.close());
  const queued = async () => (await sql.unsafe(`SELECT FROM tasks WHERE status IN ('QUEUED', 'DISPATCHED')`)).length;
  while ((popped.length < 2 || (await queued()) > 2) && longest.length < 500) {
    const { ms, value } = await timed(patient.pop('boefje', { limit: 300 }));
    longest.push(ms);
    popped.push(...value);
  }
  expect(popped.map(({ organisation }) => organisation)).toEqual(['small', 'small']);
  expect(Math.max(...longest)).toBeLessThan(8_000);
  expect(most - before).toBeLessThan(300_000_000);
  const ended = () =>
    sql.unsafe('SELECT status::text, reason, count(*)::int AS n FROM tasks WHERE organisation = $1 GROUP BY 1, 2', [
      'giant',
    ]);
  await expect.poll(ended).toEqual([{ status: 'FAILED', reason: 'larger-than-max-payload', n: giants }]);
});

test('a claim brings 8 MB of tasks at most, and gives the others back as if it had not looked', async () => {
  const { queue, sql } = await stage();
  const claimed = await queue.pop('boefje', popRequest({ limit: 100 }));
  expect(claimed).toHaveLength(4);
  expect(parse(claimed[0]!).data['dispatches']).toEqual([text]);
  const queued = () =>
    sql.unsafe(`SELECT count(*)::int AS n, max(attempts) AS attempts FROM tasks WHERE status = 'QUEUED'`);
  await expect.poll(queued).toEqual([{ n: giants - 4, attempts: 0 }]);
});
