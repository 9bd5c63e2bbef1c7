-- Enables an organisation's schedules again that were disabled for one of these reasons; they are due now.
-- returns id
-- $1 scheduler, $2 organisation, $3 reasons, $4 boefjes (null: any)
UPDATE schedules s
SET enabled = true, disabled_reason = NULL, claimed_until = NULL, deadline_at = now(), asked_deadline = now(),
  modified_at = now()
WHERE s.scheduler_id = $1 AND s.organisation = $2 AND NOT s.enabled AND s.disabled_reason = ANY ($3::text[])
  AND ($4::text[] IS NULL OR s.data -> 'boefje' ->> 'id' = ANY ($4))
RETURNING s.id
