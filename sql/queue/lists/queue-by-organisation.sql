-- The organisations with the most queued tasks of a scheduler: how many by the roll-up, a second old at most; how many of them pauses hold,
-- and how long the oldest that may be popped has waited, along an index and no further than $3 rows of each.
-- returns name, total, held, waiting, oldest_seconds, per_second (null: only images have rates), most queued first
-- $1 scheduler, $2 organisations at most, $3 rows of each that are counted at most, $4 seconds to look back: no rate is known of organisations; {sizes} is queue-sizes.sql
SELECT o.organisation AS name, o.count::float8 AS total, h.held, q.waiting, extract(epoch FROM now() - q.oldest_at)::float8 AS oldest_seconds,
  NULL::float8 AS per_second
FROM (
  SELECT organisation, count FROM queued_organisations
  WHERE scheduler = $1 AND count > 0 AND $4::float8 > 0
  ORDER BY count DESC, organisation LIMIT $2
) AS o,
  {sizes}
ORDER BY o.count DESC, o.organisation
