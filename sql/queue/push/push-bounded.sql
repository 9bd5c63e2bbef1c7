-- Which items have room; the part of push.sql for a queue with a bound.
-- A small bound counts what is held, and what stands from the low-water mark on (claim-heads.sql). A larger one reads the roll-up and
-- what is not folded into it yet, which is as exact: to count a million took 122 to 308 ms a push.
room AS MATERIALIZED (
  SELECT CASE
    WHEN $5::integer > 10000 THEN $5::integer
      - coalesce((SELECT t.count FROM task_totals t WHERE t.scheduler = $1 AND t.status = 'QUEUED'), 0)
      - coalesce((
        SELECT sum(g.delta) FROM task_changes g, unnest(g.schedulers, g.statuses) AS c (scheduler, status)
        WHERE c.scheduler = $1 AND c.status = 'QUEUED'), 0)
    WHEN $5::integer > 0 THEN $5::integer - (SELECT count(*) FROM (
      (SELECT FROM queue q WHERE q.scheduler = $1 AND q.held ORDER BY q.rank, q.created_at)
      UNION ALL
      (SELECT FROM queue q WHERE q.scheduler = $1 AND NOT q.held
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
        ORDER BY q.rank, q.created_at)
      LIMIT $5::integer
    ) AS counted)
  END AS places
),
admitted AS MATERIALIZED (
  -- A task that is queued already takes no place.
  SELECT i.*,
    i.priority IS NOT DISTINCT FROM 1 OR room.places IS NULL
      OR count(*) FILTER (WHERE i.priority IS DISTINCT FROM 1 AND NOT i.taken) OVER (ORDER BY i.n) <= room.places AS fits
  FROM items i, room
),
