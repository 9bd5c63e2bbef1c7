-- What is queued, held by a pause and handed out in each scheduler, how long the oldest task that may be popped has waited, and how fast
-- tasks went lately (as task-start.sql). What is held and what waits is counted along the pop order, and no further than $4 rows of each;
-- beyond that `queued` is from the roll-up, a second old at most: to count a million took 250 ms a look.
-- returns scheduler, total (by the roll-up), held, waiting, leased, oldest_seconds (of the $4 that go first; null where none may be
-- popped), now_ms, seconds, tasks, busy_seconds, busy_tasks, asked_ms, out_seconds_ago, in the order of $1
-- $1 schedulers, $2 seconds to look back, $3 seconds to look back at least, $4 rows that are counted at most; {sizes} is queue-sizes.sql
SELECT wanted.scheduler, h.held, q.waiting, l.leased, extract(epoch FROM now() - q.oldest_at)::float8 AS oldest_seconds,
  coalesce((SELECT t.count::float8 FROM task_totals t WHERE t.scheduler = wanted.scheduler AND t.status = 'QUEUED'), 0) AS total,
  extract(epoch FROM now())::float8 * 1000 AS now_ms, extract(epoch FROM now() - w.since)::float8 AS seconds,
  extract(epoch FROM now() - w.busy_since)::float8 AS busy_seconds, p.tasks, p.busy_tasks,
  (SELECT extract(epoch FROM max(i.until))::float8 * 1000 FROM image_pops i WHERE i.scheduler = wanted.scheduler AND i.asked) AS asked_ms,
  (SELECT extract(epoch FROM now() - i.until)::float8 FROM image_pops i
    WHERE i.scheduler = wanted.scheduler AND i.image = '' AND i.tasks > 0 ORDER BY i.until DESC LIMIT 1) AS out_seconds_ago
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n),
  {sizes},
  LATERAL (SELECT count(*)::float8 AS leased FROM leases WHERE leases.scheduler = wanted.scheduler) AS l,
  LATERAL (
    SELECT f.since, greatest(f.since, least(q.oldest_at, now() - $3 * interval '1 second')) AS busy_since
    FROM (SELECT greatest(now() - $2 * interval '1 second', (
      SELECT min(i.until) - interval '2 seconds' FROM image_pops i WHERE i.scheduler = wanted.scheduler AND i.image = '')) AS since) AS f
  ) AS w,
  LATERAL (
    SELECT coalesce(sum(i.tasks), 0)::float8 AS tasks,
      coalesce(sum(i.tasks) FILTER (WHERE i.until > w.busy_since), 0)::float8 AS busy_tasks
    FROM image_pops i WHERE i.scheduler = wanted.scheduler AND i.image = '' AND i.until > w.since
  ) AS p
ORDER BY wanted.n
