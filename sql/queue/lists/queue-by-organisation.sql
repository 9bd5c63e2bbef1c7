-- The organisations with the most queued tasks of a scheduler: how many by the roll-up, a second old at most; how many of them pauses hold,
-- and how long the oldest that may be popped has waited, along an index and no further than $3 rows of each.
-- returns name, total, held, waiting, oldest_seconds, per_second (null: only images have rates), most queued first
-- $1 scheduler, $2 organisations at most, $3 rows of each that are counted at most, $4 seconds to look back: no rate is known of organisations
SELECT o.organisation AS name, o.count::float8 AS total, h.held, w.waiting, extract(epoch FROM now() - w.oldest_at)::float8 AS oldest_seconds,
  NULL::float8 AS per_second
FROM (
  SELECT organisation, count FROM queued_organisations
  WHERE scheduler = $1 AND count > 0 AND $4::float8 > 0
  ORDER BY count DESC, organisation LIMIT $2
) AS o,
  LATERAL (
    SELECT count(*)::float8 AS held FROM (
      SELECT FROM queue q WHERE q.scheduler = $1 AND q.organisation = o.organisation AND q.held
      ORDER BY q.rank, q.created_at, q.id LIMIT $3
    ) AS b
  ) AS h,
  LATERAL (
    SELECT count(*)::float8 AS waiting, min(b.created_at) AS oldest_at FROM (
      SELECT q.created_at FROM queue q WHERE q.scheduler = $1 AND q.organisation = o.organisation AND NOT q.held
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
      ORDER BY q.rank, q.created_at, q.id LIMIT $3
    ) AS b
  ) AS w
ORDER BY o.count DESC, o.organisation
