-- The flows of which anything is queued that a ranker may rank anew.
-- returns organisation, image ('' of tasks without one)
-- $1 scheduler
SELECT DISTINCT organisation, coalesce(image, '') AS image FROM queue WHERE scheduler = $1 AND rank > 1
