-- Tasks by status, from the roll-up.
-- returns scheduler, status, count
SELECT scheduler, lower(status::text) AS status, count::float8 AS count FROM task_totals
