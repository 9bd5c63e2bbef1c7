-- Tasks one by one in the order of their ids, until they have so many bytes together: the one that goes beyond is the last.
-- returns id, task (JSON text), in the order of $1
-- $1 ids, $2 bytes
WITH RECURSIVE entries (at, bytes, task) AS (
  SELECT 0, 0::bigint, NULL::text
  UNION ALL
  SELECT entries.at + 1, entries.bytes + coalesce(octet_length(read.task), 0), read.task
  FROM entries LEFT JOIN LATERAL (
    SELECT rota_task_json(t) AS task FROM tasks t WHERE t.id = ($1::uuid[])[entries.at + 1] OFFSET 0
  ) AS read ON true
  WHERE entries.bytes < $2 AND entries.at < cardinality($1::uuid[])
)
SELECT ($1::uuid[])[at] AS id, task FROM entries WHERE task IS NOT NULL ORDER BY at
