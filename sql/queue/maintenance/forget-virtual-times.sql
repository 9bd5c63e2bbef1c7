-- Virtual times of images of which nothing is queued: they join again at the greatest one, of which one stays.
DELETE FROM virtual_times v
WHERE NOT EXISTS (SELECT FROM queue q WHERE coalesce(q.image, '') = v.image AND q.scheduler = v.scheduler)
  AND (v.rank, v.image) < (
    SELECT m.rank, m.image FROM virtual_times m WHERE m.scheduler = v.scheduler AND m.manual = v.manual
    ORDER BY m.rank DESC, m.image DESC LIMIT 1)
