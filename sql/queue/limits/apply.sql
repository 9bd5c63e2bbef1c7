-- A limit is new, or for other tasks: rows that may be popped and were not looked at since, in pop order, from a place on.
-- returns concerned (a JSON array of {id, hash, scheduler, organisation, plugin, image, ooi, manual}), and where the next stretch begins:
-- rank (text), created_at (text), id; null at the end
-- $1 name of the limit, $2 rows at most, $3 rank, $4 created_at and $5 id to begin after, $6 a scheduler
-- One scheduler at a time, since the pop order is that of a scheduler.
WITH wanted AS MATERIALIZED (SELECT * FROM limits WHERE limits.name = $1 AND limits.removed_at IS NULL),
stretch AS MATERIALIZED (
  SELECT q.hash, q.scheduler, q.id, q.rank, q.created_at, q.organisation, q.plugin, q.image,
    coalesce(q.limited_by, 0) < w.version AND (w.organisation IS NULL OR w.organisation = q.organisation)
      AND (w.plugin IS NULL OR q.plugin = ANY (string_to_array(w.plugin, ','))) AND (w.image IS NULL OR w.image = q.image) AS concerned
  FROM wanted w, LATERAL (
    SELECT * FROM queue
    WHERE queue.scheduler = $6 AND NOT queue.held AND (queue.rank, queue.created_at, queue.id) > ($3::bigint, $4::text::timestamptz, $5::uuid)
    ORDER BY queue.rank, queue.created_at, queue.id LIMIT $2
  ) AS q
),
last AS (SELECT s.rank, s.created_at, s.id FROM stretch s ORDER BY s.rank DESC, s.created_at DESC, s.id DESC LIMIT 1),
found AS (
  SELECT s.id, s.hash, s.scheduler, s.organisation, s.plugin, s.image,
    coalesce(t.data ->> 'input_ooi', t.data #>> '{raw_data,boefje_meta,input_ooi}') AS ooi, t.priority IS NOT DISTINCT FROM 1 AS manual
  FROM stretch s, LATERAL (SELECT tasks.data, tasks.priority FROM tasks WHERE tasks.id = s.id) AS t
  WHERE s.concerned
)
SELECT (SELECT coalesce(json_agg(found), '[]') FROM found) AS concerned, last.rank::text, last.created_at::text, last.id
FROM (SELECT) AS one LEFT JOIN last ON true
