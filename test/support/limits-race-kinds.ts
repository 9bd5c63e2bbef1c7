import type { Sql } from '../../src/postgres/pool.ts';
import type { NewLimit } from '../../src/queue/limits/limits.ts';
import type { RacedTask } from './limits-race-record.ts';
import { aLimit } from './new-limit.ts';

export type Random = (below: number) => number;

/** Limits, and the work under them. */
export interface RaceKind {
  readonly limits: readonly NewLimit[];
  /** The nth task that is pushed. */
  readonly task: (nth: number) => RacedTask;
  /** The keys that a task has, said anew: the mechanism's own are what is checked. */
  readonly keysOf: (task: RacedTask) => readonly string[];
  /** Tasks of a push at most. */
  readonly pushed: number;
  readonly pushEveryMs: number;
  /** Tasks that are kept queued by a statement of the race's own, parked as the releaser would park them; 0: none. */
  readonly seeded: number;
  readonly leastClaimed: number;
  readonly claimed: number;
  readonly claimEveryMs: number;
  readonly filters: boolean;
  readonly worksMs: number;
  readonly leaseMs: number;
  readonly passEveryMs: number;
  /** Between kills at least. A pass over many keys takes a second on a busy machine: it must come to its end now and then. */
  readonly killEveryMs: number;
}

/** Few keys with little room each, some of them shared by what others hold too: shows races. */
export function tight(random: Random): RaceKind {
  const rate = (least: number, more: number) => ({ spacingMs: least + random(more), burst: 1 + random(3) });
  const limits = [
    aLimit({ name: 'api', plugin: 'shodan', template: 'api:shodan', ...rate(15, 40) }),
    aLimit({ name: 'few', plugin: 'nmap', template: 'boefje:{boefje}', concurrency: 1 + random(3) }),
    aLimit({ name: 'host', plugin: 'dns', template: 'host:{host}', ...rate(20, 60), concurrency: 1 + random(3) }),
    aLimit({ name: 'shared', plugin: 'dns', template: 'shared', ...rate(5, 10), concurrency: 2 + random(4) }),
  ];
  const boefjes = ['shodan', 'nmap', 'dns', 'dns'] as const;
  return {
    limits,
    task: (nth) => ({
      boefje: boefjes[random(4)]!,
      host: `h${random(6)}.example.com`,
      organisation: `o${nth}`,
    }),
    keysOf: ({ boefje, host }) => {
      if (boefje === 'shodan') return ['api/api:shodan'];
      return boefje === 'nmap' ? ['few/boefje:nmap'] : [`host/host:${host}`, 'shared/shared'];
    },
    pushed: 30,
    pushEveryMs: 40,
    seeded: 0,
    leastClaimed: 1,
    claimed: 20,
    claimEveryMs: 80,
    filters: true,
    worksMs: 60,
    leaseMs: 300,
    passEveryMs: 0,
    killEveryMs: 300,
  };
}

const hosts = 200;
const organisations = 20;

/** Many keys, two a task, each as busy as it may be: together they admit some thousand a second, and are asked for more. */
export function wide(random: Random): RaceKind {
  const limits = [
    aLimit({
      name: 'host',
      template: 'host:{host}',
      spacingMs: 150 + random(200),
      burst: 1 + random(4),
      concurrency: 1 + random(4),
    }),
    aLimit({
      name: 'organisation',
      template: 'organisation:{organisation}',
      spacingMs: 15 + random(20),
      burst: 2 + random(10),
      concurrency: 5 + random(20),
    }),
  ];
  return {
    limits,
    task: () => ({ boefje: 'dns', host: `h${random(hosts)}.example.com`, organisation: `o${random(organisations)}` }),
    keysOf: ({ host, organisation }) => [`host/host:${host}`, `organisation/organisation:${organisation}`],
    pushed: 20,
    pushEveryMs: 100,
    seeded: 4_000,
    leastClaimed: 200,
    claimed: 400,
    claimEveryMs: 60,
    filters: false,
    worksMs: 5,
    leaseMs: 2_000,
    passEveryMs: 40,
    killEveryMs: 1_500,
  };
}

/** Fills the queue up again, to what no claimer of the next seconds comes to the end of: pushes would take most of a core. */
export async function seedQueued(sql: Sql, { seeded }: RaceKind): Promise<void> {
  const [found] = await sql<{ queued: number }[]>`SELECT count(*)::integer AS queued FROM queue`;
  if (found!.queued > seeded) return;
  // In one transaction, with the releasers' lock: a row that is parked at a key that is never looked at would stay there.
  // Without what the releasers set for their own statements: these would take seconds.
  await sql.begin(async (locked) => {
    await locked`SELECT pg_advisory_xact_lock(7682121)`;
    await locked.unsafe(`
      WITH made AS MATERIALIZED (
        SELECT n, gen_random_uuid() AS id, clock_timestamp() AS at, 'h' || floor(random() * ${hosts}) || '.example.com' AS host,
          'o' || floor(random() * ${organisations}) AS organisation
        FROM generate_series(1, ${seeded}) AS n
      ),
      keyed AS MATERIALIZED (
        SELECT *, md5(id::text) AS hash, ARRAY['host/host:' || host, 'organisation/organisation:' || organisation]::varchar[] AS limits FROM made
      ),
      stored AS (
        INSERT INTO tasks (id, scheduler_id, organisation, type, hash, priority, data, status, created_at, modified_at)
        SELECT id, 'boefje', organisation, 'boefje', hash, 2 + n % 50, jsonb_build_object('id', id, 'input_ooi', 'Hostname|internet|' || host,
          'organization', organisation, 'boefje', jsonb_build_object('id', 'dns', 'name', 'dns', 'oci_image', 'img:a')), 'QUEUED', at, at
        FROM keyed
      )
      INSERT INTO queue (scheduler, rank, created_at, id, hash, organisation, plugin, image, held, limits, parked, limited_by)
      SELECT 'boefje', 2 + n % 50, at, id, hash, organisation, 'dns', 'img:a', true, limits, limits[1], (SELECT max(version) FROM limits)
      FROM keyed`);
    await locked.unsafe(`
      INSERT INTO limiters AS l (key, next_at) SELECT 'host/host:h' || n || '.example.com', to_timestamp(0) FROM generate_series(0, ${hosts - 1}) AS n
      ON CONFLICT (key) DO UPDATE SET next_at = EXCLUDED.next_at WHERE l.next_at = 'infinity'`);
  });
}
