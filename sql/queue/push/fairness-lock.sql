-- Locks the fairness state of organisations, in one order, and makes it where there is none (tag 0: none given yet).
-- returns organisation, tag, weight
-- $1 scheduler, $2 organisations, sorted
INSERT INTO fairness AS f (scheduler, organisation, tag)
SELECT $1, organisation, 0 FROM unnest($2::varchar[]) AS organisation
ON CONFLICT (scheduler, organisation) DO UPDATE SET tag = f.tag
RETURNING organisation, tag, weight
