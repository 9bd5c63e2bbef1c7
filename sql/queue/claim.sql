-- Claims units for waiters in one statement: queue rows go, tasks become dispatched, leases begin.
-- returns unit (1, 2, … in pop order), id, organisation, attempts, lease_id, lease_until, task (JSON text), in pop order
-- $1 scheduler, $2 units at most, $3 waiters as a JSON array {units, worker, via, lease_ms}, $4… the filter's values
-- {filter} is a condition on alias q; {source} is `queue q`, or an ordered scan m for each value of a list, merged and joined to it;
-- {order} is the alias that has the order. Claims run on connections that plan by key (postgres.ts): the scan below must walk
-- the pop order and nothing else, whatever the statistics say, since its condition takes locks.
WITH slots AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY w.n, s.i) AS unit, w.worker, w.via, w.lease_ms
  FROM ROWS FROM (json_to_recordset($3::text::json) AS (units integer, worker text, via text, lease_ms double precision))
    WITH ORDINALITY AS w (units, worker, via, lease_ms, n),
    generate_series(1, w.units) AS s (i)
),
-- A group's rows are locked by whoever holds its key, and by nobody else: two supervisors never split one.
heads AS MATERIALIZED (
  SELECT q.rank, q.created_at, q.id, q.deduplication_key
  FROM {source}
  WHERE q.scheduler = $1 AND NOT q.held AND {filter}
    AND (q.deduplication_key IS NULL
      OR pg_try_advisory_xact_lock(hashtextextended(q.scheduler || ' ' || q.deduplication_key, 0)))
  ORDER BY {order}.rank, {order}.created_at, {order}.id
  LIMIT $2
  FOR UPDATE OF q SKIP LOCKED
),
-- Several heads of one group are one unit, led by the first.
units AS MATERIALIZED (
  SELECT row_number() OVER (ORDER BY rank, created_at, id) AS unit, rank, created_at, id, deduplication_key
  FROM (
    SELECT h.*, row_number() OVER (PARTITION BY coalesce(deduplication_key, id::text) ORDER BY rank, created_at, id) AS nth
    FROM heads h
  ) AS ordered
  WHERE nth = 1
),
-- The rest of each group. Never waits: a member that is being changed at this moment stays queued.
members AS MATERIALIZED (
  SELECT u.unit, q.rank, q.created_at, q.id
  FROM units u JOIN queue q ON q.scheduler = $1 AND q.deduplication_key = u.deduplication_key
  WHERE NOT q.held AND {filter}
  FOR UPDATE OF q SKIP LOCKED
),
chosen AS MATERIALIZED (
  SELECT unit, rank, created_at, id FROM units WHERE deduplication_key IS NULL
  UNION ALL
  SELECT unit, rank, created_at, id FROM members
),
taken AS (
  DELETE FROM queue q USING chosen c
  WHERE q.scheduler = $1 AND NOT q.held AND q.rank = c.rank AND q.created_at = c.created_at AND q.id = c.id
  RETURNING c.unit, c.rank, c.created_at, c.id
),
leased AS (
  INSERT INTO leases (task_id, lease_id, scheduler, worker, via, until)
  SELECT taken.id, gen_random_uuid(), $1, slots.worker, slots.via, now() + slots.lease_ms * interval '1 millisecond'
  FROM taken JOIN slots USING (unit)
  -- Whatever lease was there belonged to a life before this one.
  ON CONFLICT (task_id) DO UPDATE
    SET lease_id = EXCLUDED.lease_id, worker = EXCLUDED.worker, via = EXCLUDED.via, until = EXCLUDED.until,
        claimed_at = now()
  RETURNING task_id, lease_id, until
),
claimed AS (
  UPDATE tasks t SET status = 'DISPATCHED', modified_at = now(), attempts = t.attempts + 1
  FROM taken WHERE t.id = taken.id
  RETURNING taken.unit, taken.rank, taken.created_at AS queued_at, t.id, t.organisation, t.attempts, rota_task_json(t) AS task
)
SELECT c.unit::integer, c.id, c.organisation, c.attempts, l.lease_id, rota_timestamp(l.until) AS lease_until, c.task
FROM claimed c JOIN leased l ON l.task_id = c.id
ORDER BY c.unit, c.rank, c.queued_at, c.id
