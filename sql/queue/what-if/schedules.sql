-- Enabled schedules of a scheduler by their deadline, from one on, as far as they are due before a moment.
-- returns deadline_at (ISO, UTC, microseconds), id, hash, organisation, plugin, image, ooi (null unless $6), cron, by_interval (the
--   boefje's interval set this deadline)
-- $1 scheduler, $2 deadline_at and $3 id of the schedule to begin after, $4 moment, $5 rows at most, $6 whether OOIs are wanted
SELECT rota_timestamp(s.deadline_at) AS deadline_at, s.id, coalesce(s.hash, s.id::text) AS hash, s.organisation,
  coalesce(s.data #>> '{boefje,id}', s.data ->> 'report_recipe_id') AS plugin, s.data #>> '{boefje,oci_image}' AS image,
  CASE WHEN $6::boolean THEN s.data ->> 'input_ooi' END AS ooi, s.schedule AS cron,
  coalesce(s.deadline_at = s.interval_deadline, false) AS by_interval
FROM schedules s
WHERE s.scheduler_id = $1 AND s.enabled AND s.deadline_at IS NOT NULL
  AND (s.scheduler_id, s.deadline_at, s.id) > ($1, $2::text::timestamptz, $3::uuid) AND s.deadline_at < $4::text::timestamptz
ORDER BY s.scheduler_id, s.deadline_at, s.id
LIMIT $5
