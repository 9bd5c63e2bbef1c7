-- The rows of a page that still exist, no more than fit into one answer.
-- returns results (a JSON array as text), cutAt (the answer was full after so many rows; null where all had room)
-- $1 ids in order. {entries}: entries.sql
WITH RECURSIVE ids AS MATERIALIZED (SELECT $1::uuid[] AS list),
{entries}
SELECT nullif(max(at), cardinality($1::uuid[])) AS "cutAt", concat('[', string_agg(json, ',' ORDER BY at), ']') AS results
FROM entries WHERE at <= 1 OR bytes <= {room}
