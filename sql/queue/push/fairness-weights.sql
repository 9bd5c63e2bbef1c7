-- returns organisation, weight
-- $1 scheduler
SELECT organisation, weight FROM fairness WHERE scheduler = $1
