-- Enables schedules of these OOIs again that were disabled for one of these reasons; they are due now. Apart from
-- enable-schedules.sql so that each has an index: a raised clearance must not read all that an organisation disabled.
-- What is being examined is enabled still, and may be about to be disabled for what the OOI was before: its claim ends, so
-- that such a settlement comes too late (settle-schedules.sql).
-- returns id
-- $1 scheduler, $2 organisation, $3 reasons, $4 boefje (null: any), $5 OOIs
WITH unclaimed AS (
  UPDATE schedules s SET claimed_until = NULL
  WHERE s.scheduler_id = $1 AND s.organisation = $2 AND s.enabled AND s.claimed_until IS NOT NULL
    AND (s.data ->> 'input_ooi') = ANY ($5::text[])
    AND ($4::text IS NULL OR s.data -> 'boefje' ->> 'id' = $4)
)
UPDATE schedules s
SET enabled = true, disabled_reason = NULL, claimed_until = NULL, deadline_at = now(), modified_at = now()
WHERE s.scheduler_id = $1 AND s.organisation = $2 AND NOT s.enabled AND s.disabled_reason = ANY ($3::text[])
  AND (s.data ->> 'input_ooi') = ANY ($5::text[])
  AND ($4::text IS NULL OR s.data -> 'boefje' ->> 'id' = $4)
RETURNING s.id
