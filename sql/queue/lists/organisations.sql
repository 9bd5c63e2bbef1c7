-- A page of organisations, those with the most queued tasks first, then by name. What is queued is from the roll-up, a second old at most,
-- which keeps those of which a task was queued once; Katalogus told of the others.
-- returns count (of organisations that were read and begin with $2), queued (of all organisations), results: a JSON array of {organisation,
-- scheduler, queued, held, waited_seconds (of the task that goes first; null where none may be popped), weight}, in the order of the page
-- and of $1, a row for each of both
-- $1 schedulers, $2 beginning, $3 organisations at most, $4 organisations to step over, $5 rows that are read of each scheduler at most, $6 held
-- rows of each organisation that are counted at most
WITH wanted AS MATERIALIZED (SELECT scheduler, n FROM unnest($1::text[]) WITH ORDINALITY AS w (scheduler, n)),
-- A linguistic collation may put other names between those that begin alike: as names-of-organisations.sql.
read AS MATERIALIZED (
  SELECT o.organisation, o.count FROM wanted, LATERAL (
    SELECT q.organisation, q.count FROM queued_organisations q
    WHERE q.scheduler = wanted.scheduler AND q.organisation >= $2 ORDER BY q.organisation LIMIT $5
  ) AS o
  UNION ALL
  (SELECT s.organisation, 0 FROM seen_boefjes s WHERE s.organisation >= $2 ORDER BY s.organisation LIMIT $5)
),
known AS MATERIALIZED (
  SELECT organisation, sum(count) AS queued FROM read WHERE starts_with(organisation, $2) GROUP BY organisation
),
page AS MATERIALIZED (
  SELECT organisation, row_number() OVER (ORDER BY queued DESC, organisation) AS place
  FROM (SELECT organisation, queued FROM known ORDER BY queued DESC, organisation LIMIT $3 OFFSET $4) AS p
),
rows AS (
  SELECT p.place, wanted.n, p.organisation, wanted.scheduler,
    coalesce((SELECT greatest(q.count, 0)::float8 FROM queued_organisations q
      WHERE q.scheduler = wanted.scheduler AND q.organisation = p.organisation), 0) AS queued,
    (SELECT count(*)::float8 FROM (
      SELECT FROM queue q WHERE q.scheduler = wanted.scheduler AND q.organisation = p.organisation AND q.held
      ORDER BY q.rank, q.created_at, q.id LIMIT $6
    ) AS b) AS held,
    -- From the low-water mark on, which dead entries lie before.
    (SELECT extract(epoch FROM now() - q.created_at)::float8 FROM queue q
      WHERE q.scheduler = wanted.scheduler AND q.organisation = p.organisation AND NOT q.held
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = wanted.scheduler), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = wanted.scheduler), '-infinity'))
      ORDER BY q.rank, q.created_at, q.id LIMIT 1) AS waited_seconds,
    coalesce((SELECT f.weight FROM fairness f WHERE f.scheduler = wanted.scheduler AND f.organisation = p.organisation), 1) AS weight
  FROM page p, wanted
)
SELECT (SELECT count(*)::integer FROM known) AS count,
  (SELECT coalesce(sum(greatest(t.count, 0)), 0)::float8 FROM task_totals t WHERE t.scheduler = ANY ($1::text[]) AND t.status = 'QUEUED') AS queued,
  (SELECT coalesce(json_agg(json_build_object('organisation', organisation, 'scheduler', scheduler, 'queued', queued, 'held', held,
    'waited_seconds', waited_seconds, 'weight', weight) ORDER BY place, n), '[]')::text FROM rows) AS results
