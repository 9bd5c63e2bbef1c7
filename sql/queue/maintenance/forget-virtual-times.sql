-- Virtual times of images of which nothing is queued: they join again at the greatest one, which stays.
DELETE FROM virtual_times v
WHERE v.rank < (SELECT max(m.rank) FROM virtual_times m WHERE m.scheduler = v.scheduler)
  AND NOT EXISTS (SELECT FROM queue q WHERE coalesce(q.image, '') = v.image AND q.scheduler = v.scheduler)
