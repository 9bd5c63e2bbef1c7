-- Moves the last tags.
-- $1 scheduler, $2 a JSON array of {organisation, tag}
UPDATE fairness f SET tag = t.tag
FROM json_to_recordset($2::text::json) AS t (organisation text, tag bigint)
WHERE f.scheduler = $1 AND f.organisation = t.organisation
