-- Boefjes that have enabled schedules have been seen: neither adoption nor a return from mula takes them for new.
INSERT INTO seen_boefjes AS s (organisation, boefjes)
SELECT organisation, array_agg(DISTINCT data #>> '{boefje,id}')
FROM schedules WHERE scheduler_id = 'boefje' AND enabled AND data #>> '{boefje,id}' IS NOT NULL
GROUP BY organisation
ON CONFLICT (organisation) DO UPDATE
  SET boefjes = ARRAY(SELECT DISTINCT unnest(s.boefjes || EXCLUDED.boefjes) ORDER BY 1)
