-- What is queued of a scheduler, in pop order, from a row on: held rows after all others.
-- returns held, rank, made_at (ISO, UTC, microseconds), id, hash, organisation, plugin, image, deduplication_key, ooi (null unless $7)
-- $1 scheduler, $2 held, $3 rank, $4 created_at, $5 id of the row to begin after, $6 rows at most, $7 whether OOIs are wanted, which are
--   read from tasks
SELECT q.held, q.rank::float8 AS rank, rota_timestamp(q.created_at) AS made_at, q.id, q.hash, q.organisation, q.plugin, q.image,
  q.deduplication_key,
  CASE WHEN $7::boolean THEN (SELECT coalesce(t.data ->> 'input_ooi', t.data #>> '{raw_data,boefje_meta,input_ooi}')
    FROM tasks t WHERE t.id = q.id) END AS ooi
FROM queue q
WHERE q.scheduler = $1
  AND (q.scheduler, q.held, q.rank, q.created_at, q.id) > ($1, $2::boolean, $3::bigint, $4::text::timestamptz, $5::uuid)
ORDER BY q.scheduler, q.held, q.rank, q.created_at, q.id
LIMIT $6
