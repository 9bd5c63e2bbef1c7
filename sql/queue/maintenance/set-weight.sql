-- Gives an organisation a share; what it has queued keeps its rank.
-- returns weight (before; null where it was 1)
-- $1 scheduler, $2 organisation, $3 weight
WITH before AS MATERIALIZED (SELECT weight FROM fairness WHERE scheduler = $1 AND organisation = $2 AND weight <> 1),
given AS (
  INSERT INTO fairness (scheduler, organisation, weight) VALUES ($1, $2, $3)
  ON CONFLICT (scheduler, organisation) DO UPDATE SET weight = EXCLUDED.weight
)
SELECT (SELECT weight FROM before) AS weight
