-- Tasks that were claimed over REST some time ago and not patched since.
-- returns scheduler, unbegun, in the order of $1
-- $1 schedulers, $2 seconds since the claim, $3 seconds for which such a claim lasts
-- By the index on `until`: tasks that run over REST end a grace period later, and are not looked at.
WITH waiting AS MATERIALIZED (
  SELECT scheduler FROM leases
  WHERE until < now() + ($3::float8 - $2::float8) * interval '1 second'
    AND via = 'rest' AND NOT begun AND claimed_at < now() - $2::float8 * interval '1 second'
)
SELECT wanted.scheduler, (SELECT count(*)::float8 FROM waiting w WHERE w.scheduler = wanted.scheduler) AS unbegun
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (scheduler, n)
ORDER BY wanted.n
