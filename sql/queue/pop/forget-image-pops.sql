-- What no estimate reads any more. Clients name images as they like: 100 000 rows stay at most, some 10 MB.
DELETE FROM image_pops p
WHERE (p.until < now() - interval '10 minutes'
    AND (NOT p.asked OR EXISTS (
      SELECT FROM image_pops n WHERE n.scheduler = p.scheduler AND n.image = p.image AND n.until > p.until AND n.asked)))
  OR p.until < now() - interval '7 days'
  OR p.until < (SELECT k.until FROM image_pops k ORDER BY k.until DESC OFFSET 100000 LIMIT 1)
