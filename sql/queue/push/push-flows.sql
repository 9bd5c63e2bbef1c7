-- Deals ranks out by costs; the part of push.sql for a fair ranker (docs/queue-semantics.md, "Fair share").
-- $7 the flows of the set, and $8 virtual times that may not be stored yet: both as rota_flows takes them
--
-- What is queued already, or has no place, costs its flow nothing. The scheduler is locked from when its flows are read
-- until the end, so all else that can be done is done before: sets of 1 000 over four connections go 1.1 times as fast.
flows AS MATERIALIZED (
  SELECT f.* FROM (SELECT count(*) FROM admitted) AS done, LATERAL rota_flows(
    $1, CASE WHEN done.count > 0 THEN $7::text::json END, $8::text::json) AS f
),
ranked AS MATERIALIZED (
  SELECT a.*,
    f.starts + sum(CASE WHEN a.fits AND NOT a.taken AND look.waits IS NULL THEN rota_step(a.score, f.weight) ELSE 0 END)
      OVER (PARTITION BY f.n ORDER BY a.n) AS rank
  FROM admitted a JOIN flows f ON f.n = a.flow,
    LATERAL (SELECT (SELECT true FROM queue q WHERE q.hash = a.hash AND q.scheduler IS NOT DISTINCT FROM $1) AS waits) AS look
),
