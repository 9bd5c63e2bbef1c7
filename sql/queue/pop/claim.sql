-- Claims units for waiters in one statement: queue rows go, tasks become dispatched, leases begin.
-- returns unit (1, 2, … in pop order), id, organisation, attempts, lease_id, lease_until, task (JSON text; null where it is
-- large: read-within.sql reads it, as far as there is room), waited (seconds
-- since it was made; null but for its first claim), traceparent, rank, plugin, image, in pop order
-- $1 scheduler, $2 units at most, and for each unit $3 the worker, $4 nats or rest, $5 its milliseconds, $6 the client; $7
-- milliseconds for which a lease over NATS begins at most; $8… the filter's values. {filter} is a condition on alias q; {heads} is
-- claim-heads.sql or claim-heads-filtered.sql.
--
-- Heads are looked for in pop order until there are enough: nothing behind them is locked. Only the holder of a group's key
-- locks the group's rows: two supervisors never split one.
WITH heads AS MATERIALIZED (
  {heads}
),
-- Several heads of one group are one unit, led by the first. Over REST its members remember that they came together.
units AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY rank, created_at, id) AS unit, hash, rank, created_at, id, deduplication_key, plugin, image,
    CASE WHEN deduplication_key IS NOT NULL THEN gen_random_uuid() END AS claim
  FROM (
    SELECT h.*, row_number() OVER (PARTITION BY coalesce(deduplication_key, id::text) ORDER BY rank, created_at, id) AS nth
    FROM heads h
  ) AS ordered
  WHERE nth = 1
),
-- A group comes whole. Never waits: a member that is being changed at this moment stays queued.
chosen AS MATERIALIZED (
  SELECT unit, hash, rank, created_at, id, plugin, image, claim FROM units WHERE deduplication_key IS NULL
  UNION ALL
  SELECT u.unit, m.hash, m.rank, m.created_at, m.id, m.plugin, m.image, u.claim
  FROM units u, LATERAL (
    SELECT q.hash, q.rank, q.created_at, q.id, q.plugin, q.image
    -- OFFSET 0: the group is found by its key, and by no index that suits the filter.
    FROM (
      SELECT * FROM queue
      WHERE queue.deduplication_key = u.deduplication_key AND queue.scheduler IS NOT DISTINCT FROM $1
      OFFSET 0 FOR UPDATE SKIP LOCKED
    ) AS q
    WHERE NOT q.held AND {filter}
  ) AS m
  WHERE u.deduplication_key IS NOT NULL
),
-- By array: no estimate can turn this into a scan. IS NOT DISTINCT FROM, which no index serves, here and wherever a row is looked up
-- by its hash or its group: an equal scheduler fits five indexes, which all cost the same while the table counts as small,
-- and four of them read the whole queue, dead rows too (43 ms a pop with 120 000 queued; 2 ms so). By
-- hash, which no patch changes, and not by ctid: of a row that was patched after this snapshot the new version is locked, and
-- only what the snapshot sees can be deleted by its place.
taken AS (
  DELETE FROM queue WHERE hash = ANY (ARRAY(SELECT hash FROM chosen)) AND scheduler IS NOT DISTINCT FROM $1
),
dealt AS MATERIALIZED (
  SELECT unit, rank, created_at, id, plugin, image, gen_random_uuid() AS lease_id, ($3::text[])[unit] AS worker, ($6::text[])[unit] AS holder,
    w.via, now() + w.first_ms * interval '1 millisecond' AS until,
    CASE WHEN w.first_ms < w.asked_ms THEN w.asked_ms END AS asked_ms, claim
  FROM chosen, LATERAL (SELECT ($4::text[])[unit] AS via, ($5::float8[])[unit] AS asked_ms,
    least(($5::float8[])[unit], CASE WHEN ($4::text[])[unit] = 'nats' THEN $7::float8 END) AS first_ms) AS w
),
leased AS (
  INSERT INTO leases (task_id, lease_id, scheduler, worker, holder, via, until, asked_ms, unit, rank)
  SELECT id, lease_id, $1, worker, holder, via, until, asked_ms, CASE WHEN via = 'rest' THEN claim END, rank FROM dealt
  -- A lease that is there already is of an earlier claim.
  ON CONFLICT (task_id) DO UPDATE
    SET lease_id = EXCLUDED.lease_id, worker = EXCLUDED.worker, holder = EXCLUDED.holder, via = EXCLUDED.via, until = EXCLUDED.until,
        claimed_at = now(), renewed_at = now(), unit = EXCLUDED.unit, begun = false, asked_ms = EXCLUDED.asked_ms,
        rank = EXCLUDED.rank
),
claimed AS (
  UPDATE tasks t SET status = 'DISPATCHED', modified_at = now(), attempts = t.attempts + 1
  WHERE t.id = ANY (ARRAY(SELECT id FROM chosen))
  -- By its size as stored, which costs no look into it: ten thousand tasks of 1.9 MB are never written, nor sent.
  RETURNING t.id, t.organisation, t.attempts, t.unbegun, t.traceparent,
    CASE WHEN pg_column_size(t.data) <= CASE WHEN pg_column_compression(t.data) IS NULL THEN 16384 ELSE 4096 END
      THEN rota_task_json(t) END AS task
)
SELECT d.unit::integer, c.id, c.organisation, c.attempts, d.lease_id, rota_timestamp(d.until) AS lease_until,
  c.task,
  CASE WHEN c.attempts = 1 AND c.unbegun = 0 THEN extract(epoch FROM now() - d.created_at)::float8 END AS waited, c.traceparent,
  d.rank::float8 AS rank, coalesce(d.plugin, '') AS plugin, coalesce(d.image, '') AS image
FROM dealt d JOIN claimed c ON c.id = d.id
ORDER BY d.unit, d.rank, d.created_at, d.id
