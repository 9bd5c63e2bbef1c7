import type { Sql } from '../../src/postgres/pool.ts';
import type { NewLimit } from '../../src/queue/limits/limits.ts';

/** What a race saw. */
export interface Checked {
  readonly claims: number;
  /** A claim of a task with two keys is admitted by two. */
  readonly admissions: number;
  /** Claims that came within one interval of their key's rate of the moment from which they might: the others show nothing of it. */
  readonly atBound: number;
  /** Keys that had as many under way as they may. */
  readonly full: number;
  /** Empty where each limit was kept. */
  readonly violations: readonly string[];
}

/** What decides about the keys of a task. */
export interface RacedTask {
  readonly boefje: string;
  readonly host: string;
  readonly organisation: string;
}

/**
 * Keeps its own record of what is claimed and for how long, by the database's clock. The moment of a claim is the one that the mechanism books,
 * which must be the moment at which it books. A statement's leases at once, and no index: the record is to cost little of what it watches.
 */
export async function record(sql: Sql): Promise<void> {
  await sql.unsafe(`
    CREATE UNLOGGED TABLE record_claims (task_id uuid, at timestamptz, xact xid8);
    CREATE UNLOGGED TABLE record_ends (task_id uuid, at timestamptz);
    CREATE UNLOGGED TABLE record_spent (key varchar, unit varchar, xact xid8, at timestamptz, before timestamptz, after timestamptz);
    CREATE FUNCTION record_claimed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO record_claims SELECT task_id, clock_timestamp(), pg_current_xact_id() FROM leased; RETURN NULL; END $$;
    CREATE FUNCTION record_claimed_again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO record_claims VALUES (NEW.task_id, clock_timestamp(), pg_current_xact_id()); RETURN NULL; END $$;
    CREATE FUNCTION record_before() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      PERFORM set_config('record.before', clock_timestamp()::text, true); RETURN NULL; END $$;
    CREATE FUNCTION record_ended() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO record_ends SELECT task_id, clock_timestamp() FROM ended; RETURN NULL; END $$;
    CREATE FUNCTION record_spent() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO record_spent
      VALUES (NEW.key, NEW.unit, NEW.xact, NEW.at, current_setting('record.before')::timestamptz, clock_timestamp()); RETURN NULL; END $$;
    CREATE TRIGGER record_claimed AFTER INSERT ON leases REFERENCING NEW TABLE AS leased
      FOR EACH STATEMENT EXECUTE FUNCTION record_claimed();
    CREATE TRIGGER record_claimed_again AFTER UPDATE OF lease_id ON leases FOR EACH ROW
      WHEN (OLD.lease_id <> NEW.lease_id) EXECUTE FUNCTION record_claimed_again();
    CREATE TRIGGER record_before BEFORE INSERT ON limit_changes FOR EACH STATEMENT EXECUTE FUNCTION record_before();
    CREATE TRIGGER record_ended AFTER DELETE ON leases REFERENCING OLD TABLE AS ended
      FOR EACH STATEMENT EXECUTE FUNCTION record_ended();
    CREATE TRIGGER record_spent AFTER INSERT ON limit_changes FOR EACH ROW WHEN (NEW.spent) EXECUTE FUNCTION record_spent()`);
}

interface Claim extends RacedTask {
  readonly xact: string;
  readonly unit: string;
  /** Microseconds; null: it has not ended. */
  readonly ended: number | null;
}

interface Spent {
  readonly xact: string;
  readonly unit: string;
  readonly key: string;
  readonly at: number;
  readonly booked_now: boolean;
}

interface Span {
  readonly began: number;
  readonly ended: number;
}

/** Holds the record against the limits: in the order of time, once over each key. */
export async function check(
  sql: Sql,
  set: readonly NewLimit[],
  keysOf: (task: RacedTask) => readonly string[],
): Promise<Checked> {
  // The next that the record has of a task after its claim is the end of it: a task has one lease.
  const claims = await sql.unsafe<Claim[]>(`
    SELECT c.xact::text AS xact, coalesce('boefje ' || (t.data ->> 'deduplication_key'), t.id::text) AS unit,
      t.data #>> '{boefje,id}' AS boefje, split_part(t.data ->> 'input_ooi', '|', 3) AS host, t.organisation,
      extract(epoch FROM c.ended)::float8 * 1000000 AS ended
    FROM (
      SELECT task_id, xact, lead(at) OVER (PARTITION BY task_id ORDER BY at) AS ended
      FROM (SELECT task_id, at, xact FROM record_claims UNION ALL SELECT task_id, at, NULL FROM record_ends) AS events
    ) AS c JOIN tasks t ON t.id = c.task_id
    WHERE c.xact IS NOT NULL`);
  const spent = await sql.unsafe<Spent[]>(`
    SELECT xact::text AS xact, unit, key, extract(epoch FROM at)::float8 * 1000000 AS at,
      at BETWEEN before - interval '1 millisecond' AND after + interval '1 millisecond' AS booked_now
    FROM record_spent ORDER BY at`);
  // Members of a group that one claim took are one at each of their keys, under way until the last of them ends.
  const claimed = new Map<string, number>();
  for (const claim of claims) {
    const ended = claim.ended ?? Number.POSITIVE_INFINITY;
    for (const key of keysOf(claim)) {
      const id = `${claim.xact} ${claim.unit} ${key}`;
      claimed.set(id, Math.max(claimed.get(id) ?? ended, ended));
    }
  }
  const violations: string[] = [];
  const booked = new Set<string>();
  const spans = new Map<string, Span[]>();
  for (const { xact, unit, key, at, booked_now: isNow } of spent) {
    const id = `${xact} ${unit} ${key}`;
    const ended = claimed.get(id);
    if (ended === undefined || booked.has(id)) continue;
    booked.add(id);
    if (!isNow) violations.push(`booked for another moment: ${id}`);
    const of = spans.get(key) ?? [];
    of.push({ began: at, ended });
    spans.set(key, of);
  }
  // Each claim was booked under each key that it should have.
  for (const id of claimed.keys()) if (!booked.has(id)) violations.push(`not counted: ${id}`);
  let [atBound, full] = [0, 0];
  for (const [key, of] of spans) {
    const { spacingMs, burst, concurrency } = set.find(({ name }) => key.startsWith(`${name}/`))!;
    const rate = spacingMs === null ? { early: 0, near: 0 } : againstRate(of, spacingMs * 1_000, burst);
    if (rate.early > 0) violations.push(`${key} over its rate: ${rate.early} of ${of.length} too early`);
    atBound += rate.near;
    const most = concurrency === null ? 0 : mostAtOnce(of);
    if (concurrency !== null && most > concurrency) violations.push(`${key}: ${most} at once of ${concurrency}`);
    if (most === concurrency) full += 1;
  }
  return { claims: claims.length, admissions: booked.size, atBound, full, violations };
}

/**
 * GCRA by itself: claims that came before their time, by more than the microsecond that the sum of intervals is rounded to, and those that came
 * within one interval after it.
 */
function againstRate(units: readonly Span[], spacing: number, burst: number): { early: number; near: number } {
  let theoretical = Number.NEGATIVE_INFINITY;
  let [early, near] = [0, 0];
  for (const { began } of units) {
    const after = began - (theoretical - (burst - 1) * spacing);
    if (after < -2) early += 1;
    else if (after < spacing) near += 1;
    theoretical = Math.max(theoretical, began) + spacing;
  }
  return { early, near };
}

function mostAtOnce(units: readonly Span[]): number {
  const changes = units.flatMap(({ began, ended }) => [
    { at: began, by: 1 },
    { at: ended, by: -1 },
  ]);
  let [now, most] = [0, 0];
  // What ends at the moment at which another begins has ended.
  for (const { by } of changes.toSorted((a, b) => a.at - b.at || a.by - b.by)) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}
