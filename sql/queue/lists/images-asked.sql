-- The images that pops asked for lately, those without an image in their filter under '', and when they last did.
-- returns scheduler, image, asked_ms, the latest first
-- $1 schedulers, $2 rows of image_pops that are read at most, $3 images at most
SELECT p.scheduler, p.image, extract(epoch FROM max(p.until))::float8 * 1000 AS asked_ms
FROM (SELECT scheduler, image, until, asked FROM image_pops ORDER BY until DESC LIMIT $2) AS p
WHERE p.asked AND p.scheduler = ANY ($1)
GROUP BY p.scheduler, p.image
ORDER BY asked_ms DESC, p.scheduler, p.image LIMIT $3
