-- Deals ranks out by costs; the part of push.sql for a fair ranker (docs/queue-semantics.md, "Fair share").
-- $7 the flows of the set, and $8 virtual times that may not be stored yet: both as rota_flows takes them
--
-- What is queued already, or has no place, costs its flow nothing. Each flow is locked before it is read, and until the end.
flows AS MATERIALIZED (SELECT * FROM rota_flows($1, $7::text::json, $8::text::json)),
ranked AS MATERIALIZED (
  SELECT a.*,
    f.starts + sum(CASE WHEN a.fits AND NOT a.taken AND look.waits IS NULL THEN rota_step(a.score, f.weight) ELSE 0 END)
      OVER (PARTITION BY f.n ORDER BY a.n) AS rank
  FROM admitted a JOIN flows f ON f.n = a.flow,
    LATERAL (SELECT (SELECT true FROM queue q WHERE q.hash = a.hash AND q.scheduler IS NOT DISTINCT FROM $1) AS waits) AS look
),
