-- Which of these hashes are queued: few of the thousands that a batch of mutations asks about.
-- returns hash
-- $1 scheduler, $2 hashes
SELECT q.hash FROM queue q WHERE q.scheduler IS NOT DISTINCT FROM $1 AND q.hash = ANY ($2::text[])
