-- Virtual time: the first rank of the queue that a ranker gave (manual scans have 1), of an empty queue the highest tag,
-- so that no organisation is ahead when the next burst comes; 2 where nothing was ever ranked. And which hashes are queued, and for
-- how many more there is room, as push.sql counts it.
-- returns virtual_time, queued (hashes), places (null: no bound)
-- $1 scheduler, $2 hashes, $3 most rows in the queue (0: no bound)
SELECT
  coalesce(
    (SELECT q.rank FROM queue q
      WHERE q.scheduler = $1 AND NOT q.held AND q.rank > 1
        AND (q.rank, q.created_at) >= (
          coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
          coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
      ORDER BY q.rank, q.created_at LIMIT 1),
    (SELECT max(tag) FROM fairness WHERE scheduler = $1 AND tag > 0),
    2) AS virtual_time,
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
