-- Removes the oldest incidents that are older than 30 days, or beyond the newest 10 000.
-- returns id
-- $1 incidents at most
DELETE FROM incidents WHERE id IN (
  (SELECT id FROM incidents WHERE at < now() - interval '30 days' ORDER BY at LIMIT $1)
  UNION ALL
  (SELECT id FROM incidents ORDER BY id DESC OFFSET 10000 LIMIT $1)
) RETURNING id
