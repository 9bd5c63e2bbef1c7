-- Removes the oldest entries of the audit that are older than 90 days.
-- returns id
-- $1 entries at most
DELETE FROM audit_log WHERE id IN (
  SELECT id FROM audit_log WHERE at < now() - interval '90 days' ORDER BY at LIMIT $1
) RETURNING id
