-- Locks the fairness state of organisations, in one order, and makes it where there is none.
-- returns organisation, weight
-- $1 scheduler, $2 organisations, sorted
INSERT INTO fairness AS f (scheduler, organisation)
SELECT $1, organisation FROM unnest($2::varchar[]) AS organisation
ON CONFLICT (scheduler, organisation) DO UPDATE SET weight = f.weight
RETURNING organisation, weight
