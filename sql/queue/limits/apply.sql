-- A limit is new, or for other tasks: rows that may be popped and were not looked at since are held, in pop order, from a place on.
-- returns held, skipped (rows that are being claimed or changed at this moment), and where the next stretch begins: rank (text), created_at (text), id; null at the end
-- $1 name of the limit, $2 rows at most, $3 rank, $4 created_at and $5 id to begin after, $6 a scheduler
-- One scheduler at a time, since the pop order is that of a scheduler.
WITH wanted AS MATERIALIZED (SELECT * FROM limits WHERE limits.name = $1 AND limits.removed_at IS NULL),
stretch AS MATERIALIZED (
  SELECT q.hash, q.scheduler, q.id, q.rank, q.created_at,
    coalesce(q.limited_by, 0) < w.version AND (w.organisation IS NULL OR w.organisation = q.organisation)
      AND (w.plugin IS NULL OR q.plugin = ANY (string_to_array(w.plugin, ','))) AND (w.image IS NULL OR w.image = q.image) AS concerned
  FROM wanted w, LATERAL (
    SELECT * FROM queue
    WHERE queue.scheduler = $6 AND NOT queue.held AND (queue.rank, queue.created_at, queue.id) > ($3::bigint, $4::text::timestamptz, $5::uuid)
    ORDER BY queue.rank, queue.created_at, queue.id LIMIT $2
  ) AS q
),
locked AS MATERIALIZED (
  SELECT s.hash, s.scheduler, s.id FROM stretch s, LATERAL (
    SELECT FROM queue WHERE queue.hash = s.hash AND (queue.scheduler, queue.id) IS NOT DISTINCT FROM (s.scheduler, s.id) AND NOT queue.held
    FOR UPDATE SKIP LOCKED
  ) AS q
  WHERE s.concerned
),
moved AS (
  UPDATE queue q SET held = true, limits = NULL, parked = NULL FROM locked l
  WHERE q.hash = l.hash AND (q.scheduler, q.id) IS NOT DISTINCT FROM (l.scheduler, l.id) RETURNING 1
),
last AS (SELECT s.rank, s.created_at, s.id FROM stretch s ORDER BY s.rank DESC, s.created_at DESC, s.id DESC LIMIT 1)
SELECT (SELECT count(*)::integer FROM moved) AS held,
  (SELECT count(*)::integer FROM stretch s WHERE s.concerned) - (SELECT count(*)::integer FROM locked) AS skipped,
  last.rank::text, last.created_at::text, last.id FROM (SELECT) AS one LEFT JOIN last ON true
