-- outside a transaction
-- Of mula's tables, built beside running reads and writes. None names status, priority or modified_at, not even in a predicate: that alone
-- would end HOT for every change of status (baseline §2).

-- The latest task of a hash. Replaces mula's index on the hash alone.
DROP INDEX CONCURRENTLY IF EXISTS tasks_hash;
CREATE INDEX CONCURRENTLY tasks_hash ON tasks (hash, created_at DESC);
DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_hash;

-- Lists, newest first: of a scheduler, of an organisation, of everything; retention and reconciliation by age.
DROP INDEX CONCURRENTLY IF EXISTS tasks_scheduler;
CREATE INDEX CONCURRENTLY tasks_scheduler ON tasks (scheduler_id, created_at DESC);
DROP INDEX CONCURRENTLY IF EXISTS tasks_organisation;
CREATE INDEX CONCURRENTLY tasks_organisation ON tasks (organisation, scheduler_id, created_at DESC);
DROP INDEX CONCURRENTLY IF EXISTS tasks_created;
CREATE INDEX CONCURRENTLY tasks_created ON tasks (created_at DESC);

-- Everything about one OOI: its page in Rocky, and what goes when it is gone.
DROP INDEX CONCURRENTLY IF EXISTS tasks_ooi;
CREATE INDEX CONCURRENTLY tasks_ooi ON tasks (organisation, (data ->> 'input_ooi'), created_at DESC)
  WHERE type = 'boefje';
DROP INDEX CONCURRENTLY IF EXISTS schedules_ooi;
CREATE INDEX CONCURRENTLY schedules_ooi ON schedules (organisation, (data ->> 'input_ooi'));

-- A schedule that is deleted sets `schedule_id` of its tasks to null: without this each deletion reads all tasks.
DROP INDEX CONCURRENTLY IF EXISTS tasks_schedule;
CREATE INDEX CONCURRENTLY tasks_schedule ON tasks (schedule_id) WHERE schedule_id IS NOT NULL;

-- Due schedules, oldest deadline first; lists of schedules, newest first.
DROP INDEX CONCURRENTLY IF EXISTS schedules_due;
CREATE INDEX CONCURRENTLY schedules_due ON schedules (scheduler_id, deadline_at) WHERE enabled AND deadline_at IS NOT NULL;
DROP INDEX CONCURRENTLY IF EXISTS schedules_created;
CREATE INDEX CONCURRENTLY schedules_created ON schedules (scheduler_id, created_at DESC);
-- Disabled schedules, of which there are few: a boefje that is enabled again looks for its own.
DROP INDEX CONCURRENTLY IF EXISTS schedules_disabled;
CREATE INDEX CONCURRENTLY schedules_disabled ON schedules (scheduler_id, organisation) WHERE NOT enabled;
