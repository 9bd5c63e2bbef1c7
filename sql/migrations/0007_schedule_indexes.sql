-- outside a transaction
-- Disabled schedules, of which there are few: a boefje that is enabled again looks for its own.
DROP INDEX CONCURRENTLY IF EXISTS schedules_disabled;
CREATE INDEX CONCURRENTLY schedules_disabled ON schedules (scheduler_id, organisation) WHERE NOT enabled;
