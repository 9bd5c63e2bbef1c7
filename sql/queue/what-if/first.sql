-- When the first task of a scheduler that may be popped was made.
-- returns made_at (ISO, UTC; null where none may)
-- $1 scheduler
SELECT (SELECT rota_timestamp(q.created_at) FROM queue q WHERE q.scheduler = $1 AND NOT q.held
  ORDER BY q.scheduler, q.held, q.rank, q.created_at, q.id LIMIT 1) AS made_at
