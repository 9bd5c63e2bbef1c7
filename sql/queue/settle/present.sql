-- This supervisor can record heartbeats at this moment. Since it last said so it could not, where that is too long ago: a gap.
-- At its start, since any supervisor said so.
-- returns lengthen: whether all present supervisors lengthen a lease when its task begins
-- $1 this supervisor
WITH last AS MATERIALIZED (
  SELECT coalesce(
    (SELECT heard_at FROM supervisors WHERE instance = $1), (SELECT max(heard_at) FROM supervisors)) AS heard_at
),
gap AS (INSERT INTO gaps (began_at, ended_at) SELECT heard_at, now() FROM last WHERE rota_is_silent(heard_at)),
present AS (
  INSERT INTO supervisors (instance, heard_at, backend, lengthens) VALUES ($1, now(), pg_backend_pid(), true)
  ON CONFLICT (instance) DO UPDATE SET heard_at = now(), backend = excluded.backend
)
SELECT NOT EXISTS (
  SELECT FROM supervisors WHERE NOT gone AND NOT lengthens AND heard_at > now() - interval '60 seconds'
) AS lengthen
