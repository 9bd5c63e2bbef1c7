-- Folds what claims and ends did to keys into their limiters. Members of a group that one claim took count once. A key at which rows wait
-- is looked at again. What is left counts as unfolded. GCRA: each claim moves the theoretical arrival time by a spacing, from the claim on where it lay behind.
-- A key that was claimed is looked at when its rate has room again: a look at once found none, and was half of the looks of ten thousand keys.
-- $1 changes at most
WITH gone AS MATERIALIZED (
  DELETE FROM limit_changes WHERE ctid = ANY (ARRAY(SELECT c.ctid FROM limit_changes c LIMIT $1::integer))
  RETURNING key, unit, xact, at, spent
),
changed AS MATERIALIZED (
  SELECT g.key, g.at, g.spent * i.spacing AS step, (i.burst - 1) * i.spacing AS ahead
  FROM (
    SELECT gone.key, count(DISTINCT (gone.unit, gone.xact)) FILTER (WHERE gone.spent) AS spent, max(gone.at) FILTER (WHERE gone.spent) AS at
    FROM gone GROUP BY gone.key
  ) AS g, LATERAL (
    SELECT limits.spacing, limits.burst FROM limits WHERE limits.name = split_part(g.key, '/', 1) AND limits.removed_at IS NULL
  ) AS i
),
known AS (
  UPDATE limiters l
  SET tat = CASE WHEN c.step > interval '0' THEN greatest(l.tat, c.at) + c.step ELSE l.tat END,
      next_at = CASE WHEN l.next_at = 'infinity' THEN l.next_at
        WHEN c.step > interval '0' AND l.next_at > now() THEN greatest(now(), greatest(l.tat, c.at) + c.step - c.ahead)
        ELSE least(l.next_at, now()) END
  FROM changed c WHERE l.key = c.key
)
INSERT INTO limiters (key, tat, next_at)
SELECT c.key, c.at + c.step, 'infinity' FROM changed c
WHERE c.step > interval '0' AND NOT EXISTS (SELECT FROM limiters l WHERE l.key = c.key)
