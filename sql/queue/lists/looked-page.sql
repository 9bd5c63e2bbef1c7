-- One page of a list whose rows must be looked at to know which match, along an index in the list's order: no further than the page
-- needs, and {behind} rows behind its last one for the count.
-- returns count (at least as many match: those up to the page's end, and those found behind it), ended (no more do), cutAt (the answer was
-- full after so many rows; null where all had room), results (a JSON array as text)
-- {from}, {served}, {looks}: the rows, what the index serves of the conditions, and what a row is looked at for; {entries}: entries.sql
WITH RECURSIVE matching AS MATERIALIZED (
  -- One row more than the page: whether there is one decides on the link to the next page.
  SELECT r.id, r.created_at FROM (
    SELECT {id} AS id, {created_at} AS created_at, {looks} AS matches FROM {from} WHERE {served}
    ORDER BY {created_at} DESC, {id} DESC OFFSET 0
  ) AS r
  WHERE r.matches ORDER BY r.created_at DESC, r.id DESC LIMIT {limit}::bigint + 1 OFFSET {offset}::bigint
),
page AS MATERIALIZED (SELECT id, created_at FROM matching ORDER BY created_at DESC, id DESC LIMIT {limit}::bigint),
ids AS MATERIALIZED (SELECT array_agg(id ORDER BY created_at DESC, id DESC) AS list FROM page),
facts AS MATERIALIZED (
  SELECT (SELECT count(*) FROM matching) > {limit}::bigint AS goes_on, count(*) AS shown, min(created_at) AS last_at FROM page
),
behind AS MATERIALIZED (
  -- The first condition is the range of the index, which has no ids.
  SELECT count(*) AS looked, count(*) FILTER (WHERE matches) AS found FROM (
    SELECT {looks} AS matches FROM {from}
    WHERE {served} AND (SELECT goes_on FROM facts) AND {created_at} <= (SELECT last_at FROM facts)
      AND ({created_at}, {id}) < (SELECT p.created_at, p.id FROM page AS p ORDER BY p.created_at, p.id LIMIT 1)
    ORDER BY {created_at} DESC LIMIT {behind}::bigint
  ) AS looked
),
{entries}
SELECT
  (SELECT CASE
    WHEN f.goes_on THEN {offset}::bigint + f.shown + greatest(b.found, 1)
    WHEN f.shown > 0 OR {offset}::bigint = 0 THEN {offset}::bigint + f.shown
    -- Behind the end: the page has read all that match, and so does this.
    ELSE (SELECT count(*) FROM {from} WHERE {served} AND {looks})
  END::float8 FROM facts AS f, behind AS b) AS count,
  (SELECT NOT f.goes_on OR b.looked < {behind}::bigint FROM facts AS f, behind AS b) AS ended,
  nullif(max(at), (SELECT coalesce(cardinality(list), 0) FROM ids)) AS "cutAt",
  concat('[', string_agg(json, ',' ORDER BY at), ']') AS results
FROM entries WHERE at <= 1 OR bytes <= {room}
