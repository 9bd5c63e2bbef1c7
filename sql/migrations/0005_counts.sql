-- Tasks per hour of their last change and status: what /tasks/stats answers with, where no index on `tasks` may help.
-- A trigger sees every change, whoever makes it. It writes one row a statement, however many tasks that changed: rows of
-- deltas by organisation cost a fifth of a claim, arrays a twentieth. The sweeper folds them into task_counts.
CREATE TABLE task_changes (
  schedulers    varchar[] NOT NULL,
  organisations varchar[] NOT NULL,
  statuses      taskstatus[] NOT NULL,
  moments       timestamptz[] NOT NULL,
  delta         integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE task_counts (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  hour         timestamptz NOT NULL,
  status       taskstatus NOT NULL,
  count        bigint NOT NULL,
  PRIMARY KEY (scheduler, organisation, hour, status)
);
CREATE INDEX task_counts_hour ON task_counts (hour);

CREATE FUNCTION rota_count_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    INSERT INTO task_changes
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), -1
    FROM before HAVING count(*) > 0;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO task_changes
    SELECT array_agg(scheduler_id), array_agg(organisation), array_agg(status), array_agg(modified_at), 1
    FROM after HAVING count(*) > 0;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER rota_count_inserted AFTER INSERT ON tasks REFERENCING NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION rota_count_tasks();
CREATE TRIGGER rota_count_updated AFTER UPDATE ON tasks REFERENCING OLD TABLE AS before NEW TABLE AS after
  FOR EACH STATEMENT EXECUTE FUNCTION rota_count_tasks();
CREATE TRIGGER rota_count_deleted AFTER DELETE ON tasks REFERENCING OLD TABLE AS before
  FOR EACH STATEMENT EXECUTE FUNCTION rota_count_tasks();
