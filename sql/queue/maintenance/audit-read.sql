-- Entries of the audit, newest first.
-- returns id, at (ISO), by, command, organisation, fields, refused
-- $1 the id to begin before or null, $2 organisation or null, $3 entries at most
SELECT id, rota_timestamp(at) AS at, by, command, organisation, fields, refused
FROM audit_log
WHERE ($1::uuid IS NULL OR id < $1::uuid) AND ($2::varchar IS NULL OR organisation = $2)
ORDER BY audit_log.id DESC LIMIT $3
