-- outside a transaction
-- Lists of schedules, the most urgent first. Every schedule is in exactly one of two indexes, with its id: a boefje's cron gives 100 000
-- schedules one deadline, and a page in the middle of them must not sort all.
DROP INDEX CONCURRENTLY IF EXISTS schedules_by_deadline;
CREATE INDEX CONCURRENTLY schedules_by_deadline ON schedules (scheduler_id, deadline_at, id)
  WHERE enabled AND deadline_at IS NOT NULL;
-- It serves what looks for due schedules, too.
DROP INDEX CONCURRENTLY IF EXISTS schedules_due;
-- No push writes it: what is pushed is enabled and gets a deadline.
DROP INDEX CONCURRENTLY IF EXISTS schedules_idle;
CREATE INDEX CONCURRENTLY schedules_idle
  ON schedules (scheduler_id, enabled, coalesce(deadline_at, 'infinity'::timestamptz), id) WHERE NOT enabled OR deadline_at IS NULL;
