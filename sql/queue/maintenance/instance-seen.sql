-- This supervisor runs. Those that were not seen for a minute have vanished, and each is told of once: to a supervisor that was seen all
-- that minute itself, since after an outage of the database the others are late, too.
-- returns instance, seen_at (ISO): the vanished ones
-- $1 this supervisor
WITH before AS MATERIALIZED (
  SELECT since, seen_at > now() - interval '30 seconds' AS goes_on FROM instances WHERE instance = $1
),
seen AS (
  INSERT INTO instances AS known (instance, since, seen_at) VALUES ($1, now(), now())
  ON CONFLICT (instance) DO UPDATE SET
    seen_at = now(), since = CASE WHEN (SELECT goes_on FROM before) THEN known.since ELSE now() END
)
DELETE FROM instances gone
WHERE gone.instance <> $1 AND gone.seen_at < now() - interval '1 minute'
  AND (SELECT goes_on AND since < now() - interval '1 minute' FROM before)
RETURNING gone.instance, rota_timestamp(gone.seen_at) AS seen_at
