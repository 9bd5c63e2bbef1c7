-- A sample of one organisation by plug-in: of the next tasks of each scheduler that may be popped or are held, and of the last that ended.
-- Only roll-ups of whole organisations exist. What ended is looked for among tasks that were made before those next ones: behind a
-- backlog of a million the newest tasks are all queued.
-- returns scheduler, plugin, queued, ended, failed, last_failed_at (ISO), most queued first
-- $1 schedulers, $2 organisation, $3 tasks of each sample at most, $4 tasks of each scheduler that are looked at for those that ended, at most
WITH wanted AS MATERIALIZED (SELECT scheduler FROM unnest($1::text[]) AS w (scheduler)),
next AS MATERIALIZED (
  SELECT wanted.scheduler, q.plugin, q.created_at FROM wanted, LATERAL (
    (SELECT o.plugin, o.created_at FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND NOT o.held
      AND (o.rank, o.created_at) >= (
        coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = wanted.scheduler), -9223372036854775808),
        coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = wanted.scheduler), '-infinity'))
    ORDER BY o.rank, o.created_at, o.id LIMIT $3)
    UNION ALL
    (SELECT o.plugin, o.created_at FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND o.held
    ORDER BY o.rank, o.created_at, o.id LIMIT $3)
    LIMIT $3
  ) AS q
),
looked AS MATERIALIZED (
  SELECT wanted.scheduler, t.id FROM wanted, LATERAL (
    SELECT b.id FROM (
      SELECT t.id, t.status FROM tasks t
      WHERE t.organisation = $2 AND t.scheduler_id = wanted.scheduler
        AND t.created_at <= coalesce((SELECT min(n.created_at) FROM next n WHERE n.scheduler = wanted.scheduler), 'infinity')
      ORDER BY t.created_at DESC LIMIT $4
    ) AS b
    WHERE b.status IN ('COMPLETED', 'FAILED') LIMIT $3
  ) AS t
),
ended AS MATERIALIZED (
  SELECT l.scheduler, t.plugin, t.failed, t.modified_at FROM looked l, LATERAL (
    SELECT coalesce(s.data -> 'boefje' ->> 'id', s.data -> 'normalizer' ->> 'id', s.data ->> 'report_recipe_id') AS plugin,
      s.status = 'FAILED' AS failed, s.modified_at
    FROM tasks s WHERE s.id = l.id
  ) AS t
)
SELECT scheduler, plugin, sum(queued)::float8 AS queued, sum(ended)::float8 AS ended, sum(failed)::float8 AS failed,
  rota_timestamp(max(failed_at)) AS last_failed_at
FROM (
  SELECT scheduler, plugin, 1 AS queued, 0 AS ended, 0 AS failed, NULL::timestamptz AS failed_at FROM next
  UNION ALL
  SELECT scheduler, plugin, 0, 1, failed::integer, CASE WHEN failed THEN modified_at END FROM ended
) AS samples
GROUP BY scheduler, plugin
ORDER BY sum(queued) DESC, sum(ended) DESC, plugin
LIMIT 100
