-- Removes gaps and supervisors that no lease can refer to any more. The last one that was heard stays: the next start counts from it.
WITH old AS (DELETE FROM gaps WHERE ended_at < now() - interval '1 day')
DELETE FROM supervisors
WHERE heard_at < now() - interval '1 day' AND heard_at < (SELECT max(heard_at) FROM supervisors)
