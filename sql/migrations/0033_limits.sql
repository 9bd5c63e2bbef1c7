-- Limits and windows: docs/limits-semantics.md. What a limit holds is a held row of the queue that is parked at the one key that
-- blocks it now; the releaser admits parked rows. Pushes and claims run the statements that they always ran.

-- Limits, and windows, which are limits that admit all or nothing by the clock. A removed one stays for a minute or so: rows that it
-- held are let go meanwhile.
CREATE SEQUENCE limit_versions;
CREATE TABLE limits (
  name          varchar COLLATE "C" PRIMARY KEY,
  kind          varchar NOT NULL CHECK (kind IN ('limit', 'window')),
  -- Which tasks; null: any.
  scheduler     varchar,
  organisation  varchar,
  plugin        varchar, -- or several, by commas
  image         varchar,
  ooi_type      varchar,
  template      varchar NOT NULL, -- tasks with the same value share the limit; '' of windows
  spacing       interval CHECK (spacing > interval '0'), -- between two claims
  burst         integer NOT NULL DEFAULT 1 CHECK (burst >= 1),
  concurrency   integer CHECK (concurrency >= 1),
  exempt_manual boolean NOT NULL DEFAULT false,
  hours         jsonb, -- of a window: {zone, cron, seconds} or {zone, from, until}
  note          varchar,
  set_by        varchar,
  -- A default, which an operator may change, and is then the operator's, or end: then it stays, ended, as long as Katalogus gives it.
  by_katalogus  boolean NOT NULL DEFAULT false,
  -- Which tasks it is for, or when it was set anew: rows that were looked at before are looked at again.
  version       bigint NOT NULL,
  changed_at    timestamptz NOT NULL DEFAULT now(),
  counted_at    timestamptz, -- what was claimed before counts for its concurrency: until then it admits none
  applied_at    timestamptz, -- what was queued before is held where it should be
  removed_at    timestamptz,
  admitted      bigint NOT NULL DEFAULT 0, -- units, since it was first set
  waited        double precision NOT NULL DEFAULT 0, -- seconds of those units, from when they were made until they were admitted
  fallbacks     bigint NOT NULL DEFAULT 0, -- rows whose value could not be read: they share a limit with what is about the same OOI
  CHECK ((kind = 'window') = (hours IS NOT NULL)),
  CHECK (kind = 'window' OR spacing IS NOT NULL OR concurrency IS NOT NULL)
);

-- One row for each value of a template: GCRA's theoretical arrival time, and when it is to be looked at next. Only the releaser writes
-- it, so that no claim waits for another one. Gone an hour after it was last of use.
CREATE TABLE limiters (
  key     varchar COLLATE "C" PRIMARY KEY, -- name of the limit, '/', value of its template
  tat     timestamptz NOT NULL DEFAULT '-infinity',
  next_at timestamptz NOT NULL DEFAULT now() -- infinity: nothing waits there
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);
CREATE INDEX limiters_next ON limiters (next_at);

-- What claims and ends did to keys since the releaser last looked. Appended only, by triggers; folded into limiters.
CREATE TABLE limit_changes (
  key   varchar COLLATE "C" NOT NULL,
  unit  varchar NOT NULL, -- the task, or the group that came whole
  xact  xid8 NOT NULL DEFAULT pg_current_xact_id(), -- members of a group that one claim took count once
  at    timestamptz NOT NULL DEFAULT clock_timestamp(),
  spent boolean NOT NULL -- a claim; else something ended, or left the queue
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX limit_changes_key ON limit_changes (key);

-- Nullable and without a default, so that nothing is rewritten.
ALTER TABLE queue
  ADD COLUMN limits varchar[] COLLATE "C", -- its keys; null: none, or not looked at yet
  ADD COLUMN parked varchar COLLATE "C", -- the key that blocks it now; '': a pause does, and it was looked at
  ADD COLUMN limited_by bigint; -- the version of limits by which it was looked at
-- The keys of leased tasks. Beside `leases`, which stays narrow, and whose rows each heartbeat writes: an index of keys would grow with them.
CREATE TABLE limit_claims (
  task_id uuid PRIMARY KEY,
  unit    bigint NOT NULL, -- a hash: members of a group that one claim took count once
  limits  varchar[] COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
-- Without a pending list, which each count would read.
CREATE INDEX limit_claims_limits ON limit_claims USING gin (limits) WITH (fastupdate = off);
ALTER TABLE leases ADD COLUMN limited boolean; -- it has a row in limit_claims

-- The pauses that hold a task.
CREATE FUNCTION rota_paused(of_scheduler varchar, of_organisation varchar, of_plugin varchar) RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT p.id FROM pauses p
  WHERE p.scheduler = of_scheduler AND p.ended_at IS NULL
    AND (p.organisation IS NULL OR p.organisation = of_organisation)
    AND (p.plugin IS NULL OR p.plugin = of_plugin)
$$;

-- What holds a task that arrives: pauses, and limits that may concern it. Each statement that inserts a queue row, or lets one go after a
-- pause, asks this, so all of them insert limited rows held without knowing of limits. With no limit it is one look into an empty
-- index more.
CREATE OR REPLACE FUNCTION rota_pausing(of_scheduler varchar, of_organisation varchar, of_plugin varchar) RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT p.id FROM pauses p
  WHERE p.scheduler = of_scheduler AND p.ended_at IS NULL
    AND (p.organisation IS NULL OR p.organisation = of_organisation)
    AND (p.plugin IS NULL OR p.plugin = of_plugin)
  UNION ALL
  SELECT NULL::uuid FROM limits l
  WHERE l.removed_at IS NULL
    AND (l.scheduler IS NULL OR l.scheduler = of_scheduler)
    AND (l.organisation IS NULL OR l.organisation = of_organisation)
    AND (l.plugin IS NULL OR of_plugin = ANY (string_to_array(l.plugin, ',')))
$$;

-- A claimed row takes its keys along to its lease, by any claim and any statement: no supervisor need know of a limit to
-- keep it. A row that leaves the queue otherwise gives its place back. The rest of a group that was not taken with it waits again.
CREATE FUNCTION rota_limited_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  unit_of varchar := coalesce(OLD.scheduler || ' ' || OLD.deduplication_key, OLD.id::text);
  claimed boolean;
BEGIN
  UPDATE leases SET limited = true WHERE task_id = OLD.id;
  claimed := FOUND;
  IF NOT claimed AND OLD.held THEN
    RETURN NULL;
  END IF;
  INSERT INTO limit_changes (key, unit, spent) SELECT k.key, unit_of, claimed FROM unnest(OLD.limits) AS k (key);
  IF claimed THEN
    INSERT INTO limit_claims (task_id, unit, limits)
    VALUES (OLD.id, hashtextextended(pg_current_xact_id()::text || ' ' || unit_of, 0), OLD.limits)
    ON CONFLICT (task_id) DO UPDATE SET unit = EXCLUDED.unit, limits = EXCLUDED.limits;
  END IF;
  IF claimed AND OLD.deduplication_key IS NOT NULL THEN
    UPDATE queue q SET held = true, limits = NULL, parked = NULL
    WHERE q.deduplication_key = OLD.deduplication_key AND q.scheduler IS NOT DISTINCT FROM OLD.scheduler
      AND NOT q.held AND q.limits IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
-- By row, with a condition: a row without limits costs its evaluation. The shortest one that there is: it is read anew in each statement,
-- and one that compared with a constant took 20 us of each pop.
CREATE TRIGGER rota_limited_leaves AFTER DELETE ON queue FOR EACH ROW
  WHEN (OLD.limits IS NOT NULL) EXECUTE FUNCTION rota_limited_leaves();

CREATE FUNCTION rota_limited_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  WITH ended AS (DELETE FROM limit_claims WHERE task_id = OLD.task_id RETURNING limits)
  INSERT INTO limit_changes (key, unit, spent) SELECT k.key, OLD.task_id::text, false FROM ended, unnest(ended.limits) AS k (key);
  RETURN NULL;
END $$;
CREATE TRIGGER rota_limited_ends AFTER DELETE ON leases FOR EACH ROW
  WHEN (OLD.limited) EXECUTE FUNCTION rota_limited_ends();

-- How many units of each key may be admitted now, and when to look again if more wait. One query, so one snapshot, that of the statement
-- that asks: in it a unit is either queued or leased, and a claim either folded or not. All keys of a pass at once: a call for each took
-- 0.2 ms, a third of a core at a thousand keys a second. `closed` has the windows that are closed, `opens` when each opens. Index scans are
-- off, since only a bitmap scan reads a GIN index, and the planner would rather read all of another one. By statement_timestamp(), since
-- now() is from before the lock was had.
CREATE FUNCTION rota_limit_states(of_keys varchar[], closed varchar[], opens timestamptz[])
RETURNS TABLE (key varchar, known boolean, room integer, next_at timestamptz) LANGUAGE plpgsql STABLE ROWS 100
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on AS $$
DECLARE
  plenty CONSTANT integer := 1000000;
  moment CONSTANT timestamptz := statement_timestamp();
BEGIN
  RETURN QUERY
  WITH wanted AS MATERIALIZED (
    SELECT k.key AS value, i.kind, i.name, i.spacing, i.burst, i.concurrency, i.counted_at IS NOT NULL AS counted
    FROM unnest(of_keys) AS k (key) LEFT JOIN limits i ON i.name = split_part(k.key, '/', 1) AND i.removed_at IS NULL
  ),
  taken AS MATERIALIZED (
    SELECT w.*,
      CASE WHEN w.kind = 'limit' THEN (
        SELECT count(DISTINCT coalesce(q.deduplication_key, q.id::text))::integer FROM queue q
        WHERE NOT q.held AND q.limits @> ARRAY[w.value]::varchar[]) END AS admitted,
      CASE WHEN w.spacing IS NOT NULL THEN (
        SELECT count(DISTINCT (c.unit, c.xact))::integer FROM limit_changes c WHERE c.key = w.value AND c.spent) END AS unfolded,
      CASE WHEN w.spacing IS NOT NULL THEN
        greatest(moment, coalesce((SELECT l.tat FROM limiters l WHERE l.key = w.value), '-infinity')) END AS theoretical,
      CASE WHEN w.concurrency IS NOT NULL THEN (
        SELECT count(DISTINCT e.unit)::integer FROM limit_claims e WHERE e.limits @> ARRAY[w.value]::varchar[]) END AS running
    FROM wanted w
  ),
  rooms AS MATERIALIZED (
    SELECT t.*,
      least(t.burst, floor(extract(epoch FROM moment + t.burst * t.spacing - t.theoretical) / extract(epoch FROM t.spacing)))
        - t.admitted - t.unfolded AS by_rate,
      -- What runs since before the limit was set is counted first (apply.ts).
      CASE WHEN t.counted THEN t.concurrency - t.admitted - t.running WHEN t.concurrency IS NOT NULL THEN 0 END AS by_concurrency
    FROM taken t
  )
  SELECT r.value, r.kind IS NOT NULL,
    CASE WHEN r.kind = 'window' AND r.name = ANY (closed) THEN 0
      ELSE greatest(0, least(plenty, r.by_rate, r.by_concurrency))::integer END,
    CASE WHEN r.kind = 'window' THEN coalesce(opens[array_position(closed, r.name)], moment)
      -- What is admitted and not claimed yet takes a token when it is claimed, and that is told, as is any other end of it. A look a
      -- second at each of ten thousand keys whose rows no worker takes kept new ones waiting for seconds.
      WHEN r.by_rate <= 0 THEN CASE WHEN r.admitted >= r.burst THEN moment + interval '1 minute'
        ELSE r.theoretical - (r.burst - 1 - r.admitted - r.unfolded) * r.spacing END
      WHEN r.by_concurrency <= 0 THEN moment + CASE WHEN r.counted THEN interval '1 minute' ELSE interval '2 seconds' END
      ELSE moment END
  FROM rooms r;
END $$;

-- Whether a pass has something to do, and when the first key is due (null: nothing waits).
CREATE FUNCTION rota_limits_due(OUT is_due boolean, OUT first_at timestamptz) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
  first_at := (SELECT l.next_at FROM limiters l WHERE l.next_at < 'infinity' ORDER BY l.next_at LIMIT 1);
  is_due := EXISTS (SELECT FROM (
      SELECT FROM queue q WHERE q.held AND q.parked IS NULL ORDER BY q.parked, q.rank, q.created_at, q.id LIMIT 1) AS unresolved)
    OR EXISTS (SELECT FROM (SELECT FROM limit_changes c ORDER BY c.key LIMIT 1) AS changes);
END $$;

-- Units of a key that are admitted or claimed, for people.
CREATE FUNCTION rota_limit_taken(of_key varchar) RETURNS bigint LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on AS $$
BEGIN
  RETURN (SELECT count(DISTINCT coalesce(q.deduplication_key, q.id::text)) FROM queue q
      WHERE NOT q.held AND q.limits @> ARRAY[of_key]::varchar[])
    + (SELECT count(DISTINCT e.unit) FROM limit_claims e WHERE e.limits @> ARRAY[of_key]::varchar[]);
END $$;

-- Rows of a key that are admitted and not claimed yet.
CREATE FUNCTION rota_limit_admitted(of_key varchar, most integer)
RETURNS TABLE (hash varchar, scheduler varchar, id uuid) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_indexscan = off SET enable_indexonlyscan = off SET enable_bitmapscan = on AS $$
BEGIN
  RETURN QUERY SELECT q.hash, q.scheduler, q.id FROM queue q WHERE NOT q.held AND q.limits @> ARRAY[of_key]::varchar[] LIMIT most;
END $$;
