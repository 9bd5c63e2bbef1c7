-- How many tasks go before a queued one, and how fast they went lately: among all, and among those of its image where it has one.
-- returns image ('' of all), before, now_ms, asked_ms; of the last minutes seconds, tasks, any_image; of the part of them in which
-- there surely was something to hand out busy_seconds, busy_tasks, and under fair-share ranks_per_second; ranks_before, from the
-- greatest rank that was handed out to the task's; one or two rows, none where it is not queued or is held
-- $1 the task, $2 rows before it that are counted at most, $3 seconds to look back, $4 seconds to look back at least
WITH task AS MATERIALIZED (
  SELECT q.scheduler, q.image, q.rank, q.created_at, q.id,
    coalesce(f.rank, -9223372036854775808) AS floor_rank, coalesce(f.created_at, '-infinity') AS floor_at
  FROM tasks t
  JOIN queue q ON q.hash = t.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (t.scheduler_id, t.id)
  LEFT JOIN queue_floors f ON f.scheduler = q.scheduler
  WHERE t.id = $1 AND NOT q.held
),
-- Along an index from the low-water mark on, which dead entries lie before, and no further than $2 rows.
places AS MATERIALIZED (
  SELECT '' AS image, p.before, p.oldest_at
  FROM task k, LATERAL (
    SELECT count(*) AS before, min(b.created_at) AS oldest_at FROM (
      SELECT o.created_at FROM queue o
      WHERE o.scheduler = k.scheduler AND NOT o.held AND (o.rank, o.created_at) >= (k.floor_rank, k.floor_at)
        AND (o.rank, o.created_at, o.id) < (k.rank, k.created_at, k.id)
      ORDER BY o.rank, o.created_at, o.id LIMIT $2
    ) AS b
  ) AS p
  UNION ALL
  SELECT k.image, p.before, p.oldest_at
  FROM task k, LATERAL (
    SELECT count(*) AS before, min(b.created_at) AS oldest_at FROM (
      SELECT o.created_at FROM queue o
      WHERE o.scheduler = k.scheduler AND o.image = k.image AND NOT o.held
        AND (o.rank, o.created_at) >= (k.floor_rank, k.floor_at) AND (o.rank, o.created_at, o.id) < (k.rank, k.created_at, k.id)
      ORDER BY o.rank, o.created_at, o.id LIMIT $2
    ) AS b
  ) AS p
  WHERE k.image <> ''
),
-- Since the oldest of these was made there was work all the while: time before that, in which workers may have had nothing to do, says
-- nothing about how fast they are. Rows of the first supervisor's first seconds begin two seconds before they were written.
windows AS MATERIALIZED (
  SELECT p.image, p.before, w.since, greatest(w.since, least(p.oldest_at, k.created_at, now() - $4 * interval '1 second')) AS busy_since
  FROM task k, places p, LATERAL (
    SELECT greatest(now() - $3 * interval '1 second', (
      SELECT min(i.until) - interval '2 seconds' FROM image_pops i WHERE i.scheduler = k.scheduler AND i.image = '')) AS since
  ) AS w
)
SELECT w.image, w.before::float8, extract(epoch FROM now())::float8 * 1000 AS now_ms, asked.ms AS asked_ms,
  extract(epoch FROM now() - w.since)::float8 AS seconds, extract(epoch FROM now() - w.busy_since)::float8 AS busy_seconds,
  popped.tasks, popped.any_image, popped.busy_tasks, ranks.per_second AS ranks_per_second, (k.rank - ranks.last)::float8 AS ranks_before
FROM task k, windows w,
  LATERAL (
    SELECT coalesce(sum(i.tasks), 0)::float8 AS tasks, coalesce(sum(i.any_image), 0)::float8 AS any_image,
      coalesce(sum(i.tasks) FILTER (WHERE i.until > w.busy_since), 0)::float8 AS busy_tasks
    FROM image_pops i WHERE i.scheduler = k.scheduler AND i.image = w.image AND i.until > w.since
  ) AS popped,
  -- Ranks rise at the pace of virtual time. Tasks that come later and go before slow it, and no count of what is queued has them.
  LATERAL (
    SELECT max(i.rank) AS last,
      (max(i.rank) - min(i.rank)) / nullif(extract(epoch FROM max(i.until) - min(i.until)), 0)::float8 AS per_second
    FROM image_pops i
    WHERE i.scheduler = k.scheduler AND i.image = w.image AND i.until > w.busy_since AND i.rank > 1
      AND EXISTS (SELECT FROM virtual_times v WHERE v.scheduler = k.scheduler)
  ) AS ranks,
  LATERAL (
    SELECT extract(epoch FROM i.until)::float8 * 1000 AS ms FROM image_pops i
    WHERE i.scheduler = k.scheduler AND i.image = w.image AND i.asked
    UNION ALL SELECT NULL
    ORDER BY 1 DESC NULLS LAST LIMIT 1
  ) AS asked
