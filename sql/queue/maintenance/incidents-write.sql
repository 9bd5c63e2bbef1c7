-- Adds incidents. One that is there already was written by a statement whose answer was lost.
-- $1 a JSON array of {id, at (ISO), instance, about, happened, why}
INSERT INTO incidents (id, at, instance, about, happened, why)
SELECT id, at, instance, about, happened, why
FROM jsonb_to_recordset($1::jsonb) AS entry (
  id uuid, at timestamptz, instance varchar, about varchar, happened varchar, why varchar
)
ON CONFLICT (id) DO NOTHING
