-- Enables schedules of these OOIs again that were disabled for one of these reasons; they are due now. Apart from
-- enable-schedules.sql so that each has an index: a raised clearance must not read all that an organisation disabled.
-- What is being examined is enabled still, and may be about to be disabled for what the OOI was before: its claim ends, so
-- that such a settlement comes too late (settle-schedules.sql).
-- returns id
-- $1 scheduler, $2 reasons, $3 organisations, $4 OOIs, pairwise
WITH pairs AS MATERIALIZED (
  SELECT DISTINCT * FROM unnest($3::text[], $4::text[]) AS pairs (organisation, ooi)
),
unclaimed AS (
  UPDATE schedules s SET claimed_until = NULL
  FROM pairs
  WHERE s.organisation = pairs.organisation AND (s.data ->> 'input_ooi') = pairs.ooi AND s.scheduler_id = $1
    AND s.enabled AND s.claimed_until IS NOT NULL
)
UPDATE schedules s
SET enabled = true, disabled_reason = NULL, claimed_until = NULL, deadline_at = now(), asked_deadline = now(),
  modified_at = now()
FROM pairs
WHERE s.organisation = pairs.organisation AND (s.data ->> 'input_ooi') = pairs.ooi AND s.scheduler_id = $1
  AND NOT s.enabled AND s.disabled_reason = ANY ($2::text[])
RETURNING s.id
