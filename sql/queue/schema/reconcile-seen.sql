-- Boefjes that have enabled schedules have been seen: neither adoption nor a return from mula takes them for new. Where
-- some are disabled since the boefje was, only a look may say that it is back.
INSERT INTO seen_boefjes AS s (organisation, boefjes)
SELECT organisation, array_agg(boefje)
FROM (
  SELECT organisation, data #>> '{boefje,id}' AS boefje FROM schedules WHERE scheduler_id = 'boefje' AND enabled
  EXCEPT
  SELECT organisation, data #>> '{boefje,id}' FROM schedules
  WHERE scheduler_id = 'boefje' AND NOT enabled
    AND disabled_reason IN ('boefje-disabled', 'boefje-gone', 'organisation-gone')
) AS running
WHERE boefje IS NOT NULL
GROUP BY organisation
ON CONFLICT (organisation) DO UPDATE
  SET boefjes = ARRAY(SELECT DISTINCT unnest(s.boefjes || EXCLUDED.boefjes) ORDER BY 1)
