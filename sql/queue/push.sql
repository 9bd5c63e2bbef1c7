-- Queues a set: queue rows, schedules and tasks in one statement, so that none is ever there without the others.
-- returns n, outcome (queued | already-queued | queue-full | id-taken), schedule_id, corrects, inherited, task: one row an item
-- $1 scheduler, $2 task type, $3 items as a JSON array, $4 most rows in the queue (0: no bound; priority 1 always enters),
-- $5 whether to answer the tasks that were queued, as JSON text: reading them afterwards would take as long as the push
WITH items AS MATERIALIZED (
  SELECT i.*, now() + i.n * interval '1 microsecond' AS created_at
  FROM json_to_recordset($3::text::json) AS i (
    n integer, id uuid, own_id boolean, organisation text, hash text, priority integer, rank bigint, data jsonb,
    plugin text, image text, deduplication_key text,
    recurrence text, new_schedule_id uuid, schedule text, inherited boolean, deadline_at timestamptz, version timestamptz,
    delay_seconds double precision, traceparent text)
),
room AS MATERIALIZED (
  SELECT CASE WHEN $4::integer > 0
    THEN $4::integer - (SELECT count(*) FROM (SELECT FROM queue WHERE scheduler = $1 LIMIT $4::integer) AS counted)
  END AS places
),
admitted AS MATERIALIZED (
  SELECT i.*,
    i.own_id AND EXISTS (SELECT FROM tasks t WHERE t.id = i.id) AS taken,
    i.priority = 1 OR room.places IS NULL
      OR count(*) FILTER (WHERE i.priority <> 1) OVER (ORDER BY i.n) <= room.places AS fits
  FROM items i, room
),
-- In the order of the hashes: two sets with the same tasks in another order would wait for each other for ever.
queued AS (
  INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin, image, deduplication_key)
  SELECT $1, EXISTS (SELECT FROM rota_pausing($1, organisation, plugin)),
    rank, created_at, id, hash, organisation, plugin, image, deduplication_key
  FROM admitted
  WHERE fits AND NOT taken
  ORDER BY hash, n
  ON CONFLICT (scheduler, hash) DO NOTHING
  RETURNING id
),
accepted AS MATERIALIZED (SELECT a.* FROM admitted a JOIN queued USING (id)),
-- A disabled schedule is left alone: no row returns, and the task gets no schedule. Its own cron is a person's: an
-- interval overrules it and leaves it in place. One that somebody changed since the actor read it keeps what they set, and
-- is the task's: claimed_until carries which version that was, as a claim that has ended, for only what is proposed for
-- insertion can be compared with the row as it is by then.
given AS (
  INSERT INTO schedules AS s
    (id, scheduler_id, organisation, hash, data, enabled, schedule, inherited, deadline_at, claimed_until)
  SELECT new_schedule_id, $1, organisation, hash, data, true, schedule, inherited, deadline_at, version
  FROM accepted WHERE recurrence = 'given' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET schedule = CASE WHEN EXCLUDED.claimed_until <> s.modified_at OR EXCLUDED.schedule IS NULL AND NOT s.inherited
          THEN s.schedule ELSE EXCLUDED.schedule END,
        inherited = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.inherited ELSE EXCLUDED.inherited END,
        deadline_at = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.deadline_at ELSE EXCLUDED.deadline_at END,
        claimed_until = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.claimed_until END,
        modified_at = CASE WHEN EXCLUDED.claimed_until <> s.modified_at THEN s.modified_at ELSE now() END
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash
),
-- The default: a cron that is there keeps its deadline; without one the new deadline counts, where there is a new one.
assumed AS (
  INSERT INTO schedules AS s (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
  SELECT new_schedule_id, $1, organisation, hash, data, true, now() + delay_seconds * interval '1 second'
  FROM accepted WHERE recurrence = 'assumed' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET deadline_at =
          CASE WHEN s.schedule IS NULL THEN coalesce(EXCLUDED.deadline_at, s.deadline_at) ELSE s.deadline_at END,
        modified_at = now()
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash, s.inherited
),
-- The same where the actor has looked: its boefje has no cron, so one that came from there goes.
defaulted AS (
  INSERT INTO schedules AS s (id, scheduler_id, organisation, hash, data, enabled, deadline_at)
  SELECT new_schedule_id, $1, organisation, hash, data, true, now() + delay_seconds * interval '1 second'
  FROM accepted WHERE recurrence = 'default' ORDER BY hash
  ON CONFLICT (hash) DO UPDATE
    SET deadline_at = CASE WHEN s.schedule IS NULL OR s.inherited THEN coalesce(EXCLUDED.deadline_at, s.deadline_at)
          ELSE s.deadline_at END,
        schedule = CASE WHEN s.inherited THEN NULL ELSE s.schedule END, inherited = false, modified_at = now()
    WHERE s.enabled AND s.scheduler_id = EXCLUDED.scheduler_id
  RETURNING s.id, s.hash
),
scheduled AS MATERIALIZED (
  SELECT id, hash, false AS corrects, false AS inherited FROM given
  UNION ALL SELECT id, hash, true, inherited FROM assumed
  UNION ALL SELECT id, hash, false, false FROM defaulted
),
stored AS (
  INSERT INTO tasks (
    id, scheduler_id, schedule_id, organisation, type, hash, priority, data, status, created_at, modified_at, traceparent)
  SELECT a.id, $1, s.id, a.organisation, $2, a.hash, a.priority, a.data, 'QUEUED', a.created_at, a.created_at, a.traceparent
  FROM accepted a LEFT JOIN scheduled s USING (hash)
  RETURNING id, schedule_id, CASE WHEN $5::boolean THEN rota_task_json(tasks) END AS task
)
-- Joined by hash and by a hashed set: a plan that compares each item with each other one takes most of a push's time.
SELECT a.n, 'queued' AS outcome, s.id AS schedule_id, coalesce(s.corrects, false) AS corrects,
  coalesce(s.inherited, false) AS inherited, stored.task
FROM accepted a JOIN stored USING (id) LEFT JOIN scheduled s USING (hash)
UNION ALL
SELECT a.n, CASE WHEN a.taken THEN 'id-taken' WHEN NOT a.fits THEN 'queue-full' ELSE 'already-queued' END, NULL, false, false, NULL
FROM admitted a WHERE a.id NOT IN (SELECT id FROM queued)
ORDER BY n
