-- Moves some queue rows of one pause's key: out of the claim's path, or back where no other pause holds them.
-- returns moved
-- $1 scheduler, $2 whether to hold, $3 rows at most, $4 where ranks are virtual times the distance of two tasks of weight 1, else 0, $5… the
-- key's values. {key} is a condition on alias q, one for which there is an index that begins with it. Rows that are being changed at
-- this moment are left to the next round.
-- What comes back with a rank that has passed goes behind the last task of its flow that may be popped, or the virtual time, as if it
-- were pushed now, in its own order. One statement of a scheduler at a time: two would deal out the same ranks.
WITH gate AS MATERIALIZED (
  SELECT $4::float8 = 0 OR pg_try_advisory_xact_lock(7682120, hashtext($1)) AS is_open
),
chosen AS MATERIALIZED (
  SELECT q.hash, q.rank, q.organisation, coalesce(q.image, '') AS image, q.created_at, q.id FROM queue q
  WHERE q.scheduler = $1 AND q.held = NOT $2::boolean AND {key}
    AND ($2::boolean OR NOT EXISTS (SELECT FROM rota_pausing(q.scheduler, q.organisation, q.plugin)))
    AND (SELECT is_open FROM gate)
  ORDER BY q.rank, q.created_at, q.id
  LIMIT $3
  FOR UPDATE SKIP LOCKED
),
flows AS MATERIALIZED (
  SELECT f.organisation, f.image,
    greatest(rota_virtual_time($1, f.image), (
      SELECT q.rank FROM queue q
      WHERE coalesce(q.image, '') = f.image AND q.scheduler = $1 AND NOT q.held AND q.organisation = f.organisation
      ORDER BY q.rank DESC LIMIT 1)) AS last,
    greatest(1, round($4::float8 / coalesce(
      (SELECT w.weight FROM fairness w WHERE w.scheduler = $1 AND w.organisation = f.organisation), 1)))::bigint AS step
  FROM (SELECT DISTINCT organisation, image FROM chosen WHERE rank > 1 AND $4::float8 > 0) AS f
),
-- An image of which nothing could be popped joins again, as with a push.
joined AS (
  INSERT INTO virtual_times AS v (scheduler, image, rank)
  SELECT $1, f.image, rota_virtual_time($1, f.image) FROM (SELECT DISTINCT image FROM flows) AS f ORDER BY f.image
  ON CONFLICT (scheduler, image) DO UPDATE SET rank = EXCLUDED.rank WHERE v.rank < EXCLUDED.rank
),
-- As an object: a look into it is quick, and no plan can turn the update into a scan.
dealt AS MATERIALIZED (
  SELECT jsonb_object_agg(hash, rank) AS ranks
  FROM (
    SELECT c.hash, greatest(c.rank, f.last + f.step * row_number() OVER (
      PARTITION BY c.organisation, c.image ORDER BY c.rank, c.created_at, c.id)) AS rank
    FROM chosen c JOIN flows f USING (organisation, image)
    WHERE c.rank > 1
  ) AS d
),
moved AS (
  UPDATE queue q SET held = $2::boolean, rank = coalesce((dealt.ranks ->> q.hash)::bigint, q.rank)
  FROM dealt
  WHERE q.hash = ANY (ARRAY(SELECT hash FROM chosen)) AND q.scheduler IS NOT DISTINCT FROM $1 RETURNING 1
)
SELECT count(*)::integer AS moved FROM moved
