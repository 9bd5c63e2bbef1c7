-- Where the queue of each scheduler begins: no row that may be popped stands before it. Claims start there instead of at
-- the left edge of the index, where the entries of what was popped lie until a vacuum takes them away: a minute's worth of
-- pops by default, and all since the beginning of whatever old snapshot (a backup, a forgotten transaction) is open.
-- docs/queue-semantics.md, "Floor".
CREATE TABLE queue_floors (
  scheduler  varchar PRIMARY KEY,
  rank       bigint NOT NULL,
  created_at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Whatever arrives before the floor takes it down with it, in the same transaction, whoever puts it there: a push, a task
-- that goes back, the end of a pause, a person with SQL. Raising (raise-floor.sql) holds the lock alone, so that nothing
-- arrives unseen meanwhile: what waits here then looks with a snapshot of its own.
CREATE FUNCTION rota_lower_floor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(7682119, hashtext(scheduler))
  FROM (SELECT DISTINCT scheduler FROM arrived WHERE NOT held ORDER BY scheduler) AS schedulers;
  UPDATE queue_floors f SET rank = first.rank, created_at = first.created_at
  FROM (
    SELECT DISTINCT ON (scheduler) scheduler, rank, created_at FROM arrived
    WHERE NOT held ORDER BY scheduler, rank, created_at
  ) AS first
  WHERE f.scheduler = first.scheduler AND (first.rank, first.created_at) < (f.rank, f.created_at);
  RETURN NULL;
END $$;

CREATE TRIGGER rota_lower_floor_inserted AFTER INSERT ON queue REFERENCING NEW TABLE AS arrived
  FOR EACH STATEMENT EXECUTE FUNCTION rota_lower_floor();
CREATE TRIGGER rota_lower_floor_updated AFTER UPDATE ON queue REFERENCING NEW TABLE AS arrived
  FOR EACH STATEMENT EXECUTE FUNCTION rota_lower_floor();
