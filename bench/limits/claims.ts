import { claimStatement } from '../../src/queue/pop/claim.ts';
import { connect } from '../../src/postgres/pool.ts';
import type { Bench, Case } from '../harness/bench.ts';
import type { CaseSet } from '../harness/case-set.ts';
import { queueUpTo } from '../harness/seed.ts';
import { hasPgbench, pgbench } from './pgbench.ts';

/** Our own claim statement without anything of ours around it: what Postgres can hand out on this machine. */
export async function claimLimits(bench: Bench, depth: number): Promise<CaseSet> {
  if (!(await hasPgbench())) return { cases: [], close: async () => {} };
  const stage = await bench.stage();
  const databaseUrl = await stage.seeds.take('limit_claims', { queued: depth, finished: 0 });
  const sql = connect(databaseUrl, { max: 1 });
  const queued = async () => Number((await sql`SELECT count(*) AS count FROM queue`)[0]!['count']);
  const seconds = Math.max(1, Math.round(bench.sampleMs / 1_000));

  const claims = (units: number, clients: number): Case => ({
    name: `pgbench-claims-of-${units}-${clients}-clients`,
    unit: 'tasks/s',
    // The filling up takes longer than the second that is measured.
    ...(bench.quick ? { repetitions: 1 } : {}),
    // It must not run dry: more rows a second than this statement was ever seen to reach on two cores.
    prepare: () => queueUpTo(sql, depth + (units === 1 ? 12_000 : 50_000) * seconds),
    sample: async () => {
      const before = await queued();
      const rate = await pgbench({ databaseUrl, script: claimOf(units), clients, seconds });
      if ((await queued()) === 0) throw new Error(`the queue of ${before} ran dry under pgbench`);
      return { value: rate * units };
    },
  });
  return {
    cases: [claims(1, 16), claims(100, 4)],
    close: async () => {
      await sql.end();
      await stage.drop(databaseUrl);
    },
  };
}

function claimOf(units: number): string {
  const values = [
    `'boefje'`,
    String(units),
    `array_fill('bench'::text, ARRAY[${units}])`,
    `array_fill('nats'::text, ARRAY[${units}])`,
    `array_fill(60000::float8, ARRAY[${units}])`,
    `array_fill('_INBOX.bench'::text, ARRAY[${units}])`,
    '60000',
  ];
  return claimStatement(null, 'boefje').text.replaceAll(/\$(\d)/g, (_match, place) => values[Number(place) - 1]!);
}
