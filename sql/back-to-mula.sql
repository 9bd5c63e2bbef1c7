-- Gives the database back to mula: docs/migrating-from-mula.md. Rota and mula are both stopped meanwhile. `rota migrate
-- --back-to-mula` runs it, and so does psql; it can be run again. mula never looks at our tables and columns, which stay.

-- What Rota disabled since mula would run it: boefjes that run on operations only, crons that croniter alone reads.
UPDATE schedules SET enabled = true, disabled_reason = NULL, modified_at = now()
WHERE NOT enabled AND disabled_reason IN ('run-on-only', 'cron-unreadable');

-- No supervisor folds what these write while mula works. The next start of Rota enables them again and counts anew.
ALTER TABLE tasks DISABLE TRIGGER rota_count_inserted;
ALTER TABLE tasks DISABLE TRIGGER rota_count_updated;
ALTER TABLE tasks DISABLE TRIGGER rota_count_deleted;
TRUNCATE task_changes, task_counts, task_totals, queued_organisations;

-- mula's own indexes, dropped at adoption. The second one tells the next start that mula has been back: last.
DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_hash;
CREATE INDEX CONCURRENTLY ix_tasks_hash ON tasks (hash);
DROP INDEX CONCURRENTLY IF EXISTS ix_tasks_status_queued;
CREATE INDEX CONCURRENTLY ix_tasks_status_queued ON tasks (scheduler_id, status) WHERE status = 'QUEUED';
