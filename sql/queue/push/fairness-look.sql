-- Where tasks that are pushed now begin: of each flow (the tasks of one organisation and image) the last rank that is queued, and of each
-- image its virtual time. And which hashes are queued, and for how many more there is room, as push.sql counts it.
-- returns lasts (a JSON array of {organisation, image, rank}, of flows with tasks), virtual_times (a JSON array of {image, rank}),
-- queued (hashes), places (null: no bound)
-- $1 scheduler, $2 hashes, $3 most rows in the queue (0: no bound), $4 a JSON array of {organisation, image}, $5 virtual times of this
-- supervisor that may not be stored yet, a JSON array of {image, rank}. Images are '' where there is none.
-- An image with no task that may be popped has no virtual time of its own: it rejoins at the greatest of its scheduler. A scheduler that
-- has none at all begins at the head of its queue, so that what another ranker ranked goes first.
WITH flows AS MATERIALIZED (
  SELECT organisation, image FROM json_to_recordset($4::text::json) AS f (organisation text, image text)
),
known AS MATERIALIZED (
  SELECT image, max(rank) AS rank
  FROM (
    SELECT image, rank FROM virtual_times WHERE scheduler = $1
    UNION ALL
    SELECT image, rank FROM json_to_recordset($5::text::json) AS k (image text, rank bigint)
  ) AS all_known
  GROUP BY image
),
latest AS MATERIALIZED (
  SELECT coalesce(
    (SELECT max(rank) FROM known),
    (SELECT q.rank FROM queue q
      WHERE q.scheduler = $1 AND NOT q.held AND q.rank > 1
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
      ORDER BY q.rank, q.created_at LIMIT 1),
    1) AS rank
),
images AS MATERIALIZED (SELECT DISTINCT image FROM flows)
SELECT
  (SELECT coalesce(json_agg(json_build_object('organisation', f.organisation, 'image', f.image, 'rank', tail.rank)), '[]')::text
    FROM flows f, LATERAL (
      -- What is held counts where the whole organisation is paused: another plug-in of it need not wait for a paused one.
      SELECT greatest(
        (SELECT q.rank FROM queue q
          WHERE coalesce(q.image, '') = f.image AND q.scheduler = $1 AND NOT q.held AND q.organisation = f.organisation
          ORDER BY q.rank DESC LIMIT 1),
        (SELECT q.rank FROM queue q
          WHERE coalesce(q.image, '') = f.image AND q.scheduler = $1 AND q.held AND q.organisation = f.organisation
            AND EXISTS (SELECT FROM rota_pausing($1, f.organisation, NULL))
          ORDER BY q.rank DESC LIMIT 1)) AS rank
    ) AS tail
    WHERE tail.rank > 1) AS lasts,
  (SELECT coalesce(json_agg(json_build_object('image', i.image, 'rank', CASE
      WHEN k.rank IS NOT NULL AND (SELECT true FROM queue q
        WHERE coalesce(q.image, '') = i.image AND q.scheduler = $1 AND NOT q.held LIMIT 1) THEN k.rank
      ELSE latest.rank END)), '[]')::text
    FROM latest, images i LEFT JOIN known k USING (image)) AS virtual_times,
  (SELECT coalesce(array_agg(q.hash), '{}') FROM unnest($2::varchar[]) AS h (hash) JOIN queue q
    ON q.hash = h.hash AND q.scheduler IS NOT DISTINCT FROM $1) AS queued,
  CASE WHEN $3::integer > 0
    THEN $3::integer - (SELECT count(*) FROM (
      (SELECT FROM queue q WHERE q.scheduler = $1 AND q.held ORDER BY q.rank, q.created_at)
      UNION ALL
      (SELECT FROM queue q WHERE q.scheduler = $1 AND NOT q.held
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
        ORDER BY q.rank, q.created_at)
      LIMIT $3::integer
    ) AS counted)
  END::integer AS places
