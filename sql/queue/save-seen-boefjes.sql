-- $1 a JSON array of {organisation, boefjes}, each organisation once
INSERT INTO seen_boefjes AS known (organisation, boefjes, looked_at)
SELECT organisation, boefjes, now() FROM json_to_recordset($1::text::json) AS x (organisation text, boefjes text[])
ORDER BY organisation
ON CONFLICT (organisation) DO UPDATE SET boefjes = EXCLUDED.boefjes, looked_at = EXCLUDED.looked_at
