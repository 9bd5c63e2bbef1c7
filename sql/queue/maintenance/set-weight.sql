-- Gives an organisation a share; what it has queued keeps its rank. Without a row it has 1, and keeps none for that.
-- returns weight (before; null where it was 1)
-- $1 scheduler, $2 organisation, $3 weight
WITH before AS MATERIALIZED (SELECT weight FROM fairness WHERE scheduler = $1 AND organisation = $2),
given AS (
  INSERT INTO fairness (scheduler, organisation, weight)
  SELECT $1, $2, $3::float8 WHERE $3::float8 <> 1 OR EXISTS (SELECT FROM before)
  ON CONFLICT (scheduler, organisation) DO UPDATE SET weight = EXCLUDED.weight
)
SELECT (SELECT weight FROM before WHERE weight <> 1) AS weight
