-- Makes pushes of what actors decided stand in line, of whichever supervisor: held until the transaction ends.
-- $1 scheduler
SELECT pg_advisory_xact_lock(hashtextextended('rota push ' || $1::text, 0))
