-- A frozen supervisor loses the heartbeats that NATS sends it for longer than 20 s: nats-server before 2.11 gives a client up only
-- when its link has no traffic. docs/queue-semantics.md, "Gaps". Supervisors of before write no backend: 20 s for them, as it was.

-- The process id of the session of Postgres that wrote `heard_at`. It outlives a freeze, and not a process that was killed.
ALTER TABLE supervisors ADD COLUMN backend integer;

-- Gaps that have ended, and those of supervisors that are silent now: 20 s where the session is gone too, 60 s where it is there.
-- Beyond that a supervisor that is frozen for good would keep the tasks of dead workers.
CREATE OR REPLACE VIEW known_gaps AS
  SELECT NULL::uuid AS instance, began_at, ended_at FROM gaps
  UNION ALL
  SELECT instance, heard_at, least(now(), heard_at + CASE
    WHEN EXISTS (SELECT FROM pg_stat_activity WHERE pid = backend) THEN interval '60 seconds' ELSE interval '20 seconds' END)
  FROM supervisors WHERE NOT gone AND rota_is_silent(heard_at);
