-- The first rows of a list by an index, and which of them match: no more rows are read than {rows} selects.
-- returns looked (rows that were read), found (those that match), last (the key of the last one that was read; null where none was), keys
-- (of the first $1 that match, in order). A key is a moment to the microsecond and an id; `none` stands for no moment.
-- $1 keys at most; then the values of {rows}, which selects id, at and matches; of {beyond}, what of that is not on an earlier page.
-- {order} and {reverse}: of at and id
WITH looked AS MATERIALIZED (
  {rows}
),
page AS MATERIALIZED (SELECT id, at FROM looked WHERE matches AND {beyond} ORDER BY {order} LIMIT $1)
SELECT (SELECT count(*)::float8 FROM looked) AS looked, (SELECT count(*)::float8 FROM looked WHERE matches) AS found,
  (SELECT concat(CASE WHEN isfinite(at) THEN rota_timestamp(at) ELSE 'none' END, '_', id) FROM looked ORDER BY {reverse} LIMIT 1) AS last,
  ARRAY(SELECT concat(CASE WHEN isfinite(at) THEN rota_timestamp(at) ELSE 'none' END, '_', id) FROM page ORDER BY {order}) AS keys
