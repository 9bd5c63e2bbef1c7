-- Admits as many of the rows that are parked at keys as these have room for, in rank order; one that another of its keys has no room for
-- is parked there.
-- returns admitted (JSON: scheduler to rows), keys (whose limiters are to be looked at: next.sql)
-- $1 keys at most of those that are new, and of those that are due: neither kind waits for the other, $2 windows that are closed, $3 when
-- each opens, $4 the version of limits, $5 rows of a key at most, $6 rows more while there is a pause, which may hold what stands first,
-- $7 rows of a group at most
-- Room is counted over all keys of the pass: what two keys admit at once may share a third.
WITH ready AS MATERIALIZED (
  SELECT s.key, s.known, least(s.room, $5::integer) AS room
  FROM rota_limit_states(ARRAY(
    (SELECT limiters.key FROM limiters WHERE limiters.next_at <= to_timestamp(0) LIMIT $1)
    UNION ALL
    (SELECT limiters.key FROM limiters
      WHERE limiters.next_at > to_timestamp(0) AND limiters.next_at <= statement_timestamp() ORDER BY limiters.next_at LIMIT $1)
  ), $2::varchar[], $3::timestamptz[]) AS s
),
heads AS MATERIALIZED (
  SELECT r.key, r.room, NOT r.known OR h.limited_by IS DISTINCT FROM $4::bigint AS stale, h.*
  FROM ready r, LATERAL (
    SELECT q.hash, q.scheduler, q.id, q.rank, q.created_at, q.limits, q.limited_by, q.deduplication_key,
      coalesce(q.scheduler || ' ' || q.deduplication_key, q.id::text) AS unit,
      EXISTS (SELECT FROM rota_paused(q.scheduler, q.organisation, q.plugin)) AS paused
    FROM queue q WHERE q.held AND q.parked = r.key
    ORDER BY q.rank, q.created_at, q.id LIMIT r.room + CASE WHEN EXISTS (SELECT FROM pauses p WHERE p.ended_at IS NULL) THEN $6::integer ELSE 0 END
    FOR UPDATE SKIP LOCKED
  ) AS h
  WHERE r.room > 0
),
judged AS MATERIALIZED (
  SELECT h.*, row_number() OVER (PARTITION BY h.key, h.stale OR h.paused ORDER BY h.rank, h.created_at, h.id) AS nth FROM heads h
),
-- A group is one unit, led by its first.
leaders AS MATERIALIZED (
  SELECT DISTINCT ON (j.unit) j.* FROM judged j
  WHERE NOT j.stale AND NOT j.paused AND j.nth <= j.room
  ORDER BY j.unit, j.rank, j.created_at, j.id
),
each AS MATERIALIZED (
  SELECT l.id, k.key, row_number() OVER (PARTITION BY k.key ORDER BY l.rank, l.created_at, l.id) AS place
  FROM leaders l, unnest(l.limits) AS k (key)
),
-- As objects: a look into one is quick, and no estimate can turn it into a comparison of each with each.
ready_rooms AS MATERIALIZED (SELECT coalesce(jsonb_object_agg(r.key, r.room), '{}') AS rooms FROM ready r),
all_rooms AS MATERIALIZED (
  SELECT r.rooms || coalesce((
    SELECT jsonb_object_agg(s.key, s.room)
    FROM rota_limit_states(ARRAY(SELECT DISTINCT e.key FROM each e WHERE NOT r.rooms ? e.key), $2::varchar[], $3::timestamptz[]) AS s
  ), '{}') AS rooms
  FROM ready_rooms r
),
lacking AS MATERIALIZED (
  SELECT e.id, min(e.key) AS key FROM each e, all_rooms a WHERE e.place > (a.rooms ->> e.key)::integer GROUP BY e.id
),
admitted AS MATERIALIZED (SELECT l.* FROM leaders l WHERE l.id NOT IN (SELECT lacking.id FROM lacking)),
-- The rest of the group comes with it, as far as it has the same keys: what another limit is for too waits for that one. Who pushes a task
-- chooses its group.
members AS MATERIALIZED (
  SELECT m.hash, m.scheduler, m.id, a.limits
  FROM admitted a, LATERAL (
    SELECT q.hash, q.scheduler, q.id FROM queue q
    WHERE q.deduplication_key = a.deduplication_key AND q.scheduler IS NOT DISTINCT FROM a.scheduler
      AND q.held AND q.parked <> '' AND q.id <> a.id AND q.limits = a.limits AND NOT EXISTS (SELECT FROM rota_paused(q.scheduler, q.organisation, q.plugin))
    LIMIT $7::integer
    FOR UPDATE SKIP LOCKED
  ) AS m
  WHERE a.deduplication_key IS NOT NULL
),
outcomes AS MATERIALIZED (
  SELECT DISTINCT ON (o.id) o.* FROM (
    SELECT 1 AS first, a.id, a.hash, a.scheduler, false AS held, a.limits, NULL::varchar COLLATE "C" AS parked FROM admitted a
    UNION ALL SELECT 2, m.id, m.hash, m.scheduler, false, m.limits, NULL FROM members m
    UNION ALL SELECT 3, j.id, j.hash, j.scheduler, true, NULL, '' FROM judged j WHERE j.paused
    UNION ALL SELECT 4, j.id, j.hash, j.scheduler, true, NULL, NULL FROM judged j WHERE j.stale AND NOT j.paused
    UNION ALL SELECT 5, l.id, l.hash, l.scheduler, true, l.limits, k.key
      FROM leaders l, LATERAL (SELECT lacking.key FROM lacking WHERE lacking.id = l.id) AS k WHERE k.key <> l.key
  ) AS o
  ORDER BY o.id, o.first
),
moved AS (
  UPDATE queue q SET held = o.held, limits = o.limits, parked = o.parked
  FROM outcomes o
  WHERE q.hash = o.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (o.scheduler, o.id)
  RETURNING q.scheduler, q.held, q.parked
),
counted AS (
  UPDATE limits i SET admitted = i.admitted + n.count, waited = i.waited + n.waited
  FROM (
    SELECT split_part(k.key, '/', 1) AS name, count(*) AS count, sum(extract(epoch FROM clock_timestamp() - a.created_at)) AS waited
    FROM admitted a, unnest(a.limits) AS k (key) GROUP BY 1
  ) AS n
  WHERE i.name = n.name
)
SELECT (
    SELECT coalesce(json_object_agg(s.scheduler, s.count), '{}')
    FROM (SELECT m.scheduler, count(*) AS count FROM moved m WHERE NOT m.held GROUP BY 1) AS s
  ) AS admitted,
  ARRAY(
    SELECT ready.key FROM ready
    UNION SELECT k.key FROM admitted a, unnest(a.limits) AS k (key)
    UNION SELECT lacking.key FROM lacking
  ) AS keys
