-- Part of a statement: the rows of a page as JSON, one by one until {room} bytes are full. The rest is never read.
-- `ids` has one row with the ids in the order of the page, `list`
entries (at, bytes, json) AS (
  SELECT 0, 0::bigint, NULL::text
  UNION ALL
  SELECT entries.at + 1, entries.bytes + coalesce(octet_length(entry.json), 0), entry.json
  FROM entries LEFT JOIN LATERAL (
    SELECT {json}(stored) AS json FROM {table} AS stored WHERE stored.id = (SELECT list FROM ids)[entries.at + 1] OFFSET 0
  ) AS entry ON true
  WHERE entries.bytes < {room} AND entries.at < (SELECT coalesce(cardinality(list), 0) FROM ids)
)
