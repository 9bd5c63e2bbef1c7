-- How late the oldest due schedule is; 0 where none is due.
-- returns seconds
-- $1 scheduler
SELECT coalesce(greatest(extract(epoch FROM now() - (
  SELECT deadline_at FROM schedules
  WHERE scheduler_id = $1 AND enabled AND deadline_at IS NOT NULL
  ORDER BY deadline_at LIMIT 1
)), 0), 0)::float8 AS seconds
