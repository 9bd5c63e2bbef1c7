-- Organisations whose share is not 1, by scheduler and organisation.
-- returns count (of all), results (JSON text)
-- $1 limit, $2 offset
WITH given AS MATERIALIZED (SELECT scheduler, organisation, weight FROM fairness WHERE weight <> 1)
SELECT (SELECT count(*)::integer FROM given) AS count,
  (SELECT coalesce(json_agg(page), '[]')::text
    FROM (SELECT * FROM given ORDER BY scheduler, organisation LIMIT $1 OFFSET $2) page) AS results
