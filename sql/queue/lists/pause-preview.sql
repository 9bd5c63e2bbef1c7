-- How many tasks a pause would hold that none holds now, counted along the index of its key and no further than $2 rows.
-- returns looked (rows of the index's range), tasks (of those, what the whole key names), fair (ranks are virtual times)
-- $1 scheduler, $2 rows at most, $3… the key's values. {key} is the condition that the index begins with, {rest} what is looked at
SELECT count(*)::float8 AS looked, (count(*) FILTER (WHERE {rest}))::float8 AS tasks,
  EXISTS (SELECT FROM virtual_times v WHERE v.scheduler = $1) AS fair
FROM (
  SELECT q.plugin FROM queue q WHERE q.scheduler = $1 AND NOT q.held AND {key}
    AND (q.rank, q.created_at) >= (
      coalesce((SELECT f.rank FROM queue_floors f WHERE f.scheduler = $1), -9223372036854775808),
      coalesce((SELECT f.created_at FROM queue_floors f WHERE f.scheduler = $1), '-infinity'))
  ORDER BY q.rank, q.created_at, q.id LIMIT $2
) AS q
