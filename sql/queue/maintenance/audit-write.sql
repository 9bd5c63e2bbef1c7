-- Adds entries of the audit. One that is there already was written by a statement whose answer was lost.
-- $1 a JSON array of {id, at (ISO), by, command, organisation, fields, refused}
INSERT INTO audit_log (id, at, by, command, organisation, fields, refused)
SELECT id, at, by, command, organisation, fields, refused
FROM jsonb_to_recordset($1::jsonb) AS entry (
  id uuid, at timestamptz, by varchar, command varchar, organisation varchar, fields jsonb, refused varchar
)
ON CONFLICT (id) DO NOTHING
