-- One organisation in each scheduler: what is queued (by the roll-up, a second old at most), held and waits, counted along an index and no
-- further than $3 rows; its next task; and where ranks are virtual times, how its next turn lies beside what is served now.
-- returns scheduler, total, held, waiting, oldest_seconds, head (id of the task that goes first), head_rank (of its turns: a person's go before), fair,
-- virtual_time (of the image of that task), weight, weights (of all organisations that have something queued and are not paused as a
-- whole), in the order of $1
-- $1 schedulers, $2 organisation, $3 rows that are counted at most, $4 organisations that are counted at most
SELECT wanted.scheduler,
  coalesce((SELECT greatest(o.count, 0)::float8 FROM queued_organisations o
    WHERE o.scheduler = wanted.scheduler AND o.organisation = $2), 0) AS total,
  h.held, q.waiting, extract(epoch FROM now() - q.oldest_at)::float8 AS oldest_seconds, first.id AS head,
  turn.rank::float8 AS head_rank, fair.is AS fair,
  (SELECT v.rank::float8 FROM virtual_times v
    WHERE v.scheduler = wanted.scheduler AND v.image = coalesce(turn.image, '') AND NOT v.manual) AS virtual_time,
  coalesce((SELECT f.weight FROM fairness f WHERE f.scheduler = wanted.scheduler AND f.organisation = $2), 1) AS weight,
  busy.count + coalesce((
    SELECT sum(f.weight - 1) FROM fairness f WHERE f.scheduler = wanted.scheduler AND f.weight <> 1
      AND EXISTS (SELECT FROM queued_organisations o WHERE o.scheduler = f.scheduler AND o.organisation = f.organisation AND o.count > 0)
      AND NOT EXISTS (SELECT FROM rota_pausing(f.scheduler, f.organisation, NULL))
  ), 0) AS weights
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n),
  LATERAL (SELECT coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = wanted.scheduler), -9223372036854775808) AS rank,
    coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = wanted.scheduler), '-infinity') AS created_at) AS floor,
  LATERAL (
    SELECT count(*)::float8 AS held FROM (
      SELECT FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND o.held
      ORDER BY o.rank, o.created_at, o.id LIMIT $3
    ) AS b
  ) AS h,
  LATERAL (
    SELECT count(*)::float8 AS waiting, min(b.created_at) AS oldest_at FROM (
      SELECT o.created_at FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND NOT o.held
        AND (o.rank, o.created_at) >= (floor.rank, floor.created_at)
      ORDER BY o.rank, o.created_at, o.id LIMIT $3
    ) AS b
  ) AS q
  LEFT JOIN LATERAL (
    SELECT o.id FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND NOT o.held
      AND (o.rank, o.created_at) >= (floor.rank, floor.created_at)
    ORDER BY o.rank, o.created_at, o.id LIMIT 1
  ) AS first ON true
  LEFT JOIN LATERAL (
    SELECT o.rank, o.image FROM queue o WHERE o.scheduler = wanted.scheduler AND o.organisation = $2 AND NOT o.held AND o.rank > 1
      AND (o.rank, o.created_at) >= (floor.rank, floor.created_at)
    ORDER BY o.rank, o.created_at, o.id LIMIT 1
  ) AS turn ON true,
  LATERAL (SELECT EXISTS (SELECT FROM virtual_times v WHERE v.scheduler = wanted.scheduler) AS is) AS fair,
  LATERAL (
    SELECT count(*)::float8 AS count FROM (
      SELECT FROM (
        SELECT o.organisation, o.count FROM queued_organisations o WHERE o.scheduler = wanted.scheduler ORDER BY o.organisation LIMIT $4
      ) AS o
      WHERE o.count > 0 AND NOT EXISTS (SELECT FROM rota_pausing(wanted.scheduler, o.organisation, NULL))
    ) AS b
  ) AS busy
ORDER BY wanted.n
