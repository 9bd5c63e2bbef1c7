-- What is queued, held by a pause and handed out in each scheduler, and how long the oldest queued task has waited.
-- returns scheduler, queued, held, leased, oldest_seconds (null where nothing is queued), in the order of $1
-- $1 schedulers
SELECT wanted.scheduler, q.queued, q.held, l.leased, q.oldest_seconds
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n),
  LATERAL (
    SELECT count(*)::float8 AS queued, count(*) FILTER (WHERE held)::float8 AS held,
      extract(epoch FROM now() - min(created_at))::float8 AS oldest_seconds
    FROM queue WHERE queue.scheduler = wanted.scheduler
  ) AS q,
  LATERAL (SELECT count(*)::float8 AS leased FROM leases WHERE leases.scheduler = wanted.scheduler) AS l
ORDER BY wanted.n
