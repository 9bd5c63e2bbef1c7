-- $1 a JSON array of {organisation, boefjes, recurrences}, each organisation once
INSERT INTO seen_boefjes AS known (organisation, boefjes, recurrences, looked_at)
SELECT organisation, boefjes, recurrences, now()
FROM json_to_recordset($1::text::json) AS x (organisation text, boefjes text[], recurrences jsonb)
ORDER BY organisation
ON CONFLICT (organisation) DO UPDATE SET boefjes = EXCLUDED.boefjes, recurrences = EXCLUDED.recurrences, looked_at = EXCLUDED.looked_at
