-- Incidents, newest first.
-- returns id, at (ISO), instance, about, happened, why
-- $1 the id to begin before or null, $2 incidents at most
SELECT id, rota_timestamp(at) AS at, instance, about, happened, why
FROM incidents
WHERE $1::uuid IS NULL OR id < $1::uuid
ORDER BY incidents.id DESC LIMIT $2
