-- Queues a set: queue rows, schedules and tasks in one statement, so that none is ever there without the others.
-- returns n, outcome (queued | already-queued | queue-full | id-taken), schedule_id, corrects, inherited, task: one row an item
-- $1 scheduler, $2 task type, $3 items as a JSON array, $4 their data: a line of JSON each, $5 most rows in the queue (0: no bound;
-- priority 1 always enters), $6 whether to answer the tasks that were queued, as JSON text: reading them afterwards would
-- take as long as the push. Parts that not every set needs (push-statement.ts): {admitted} is push-bounded.sql where there is a bound; {ranked} is
-- push-flows.sql where scores are costs, else scores are ranks; {schedules} is push-schedules.sql where a task has a recurrence, and
-- {columns} and {types} are what it reads. A set of thirty costs a twelfth less without schedules, and with the data beside the items,
-- where they are read once; a set of one an eighth less without a bound and those columns.
WITH items AS MATERIALIZED (
  -- Made a document here, once, for the task and its schedule.
  SELECT n, id, own_id, organisation, hash, priority, score, flow, plugin, image, deduplication_key, traceparent,
    {columns}line::jsonb AS data,
    now() + n * interval '1 microsecond' AS created_at,
    -- By key, one by one: an EXISTS may be planned as a hash of all tasks there are.
    own_id AND (SELECT true FROM tasks t WHERE t.id = i.id) IS NOT NULL AS taken
  FROM ROWS FROM (
    json_to_recordset($3::text::json) AS (
      n integer, id uuid, own_id boolean, organisation text, hash text, priority integer, score bigint, flow integer,
      plugin text, image text, deduplication_key text, traceparent text{types}),
    string_to_table($4, E'\n')
  ) AS i (
    n, id, own_id, organisation, hash, priority, score, flow, plugin, image, deduplication_key, traceparent,
    {columns}line)
),
{admitted}
{ranked}
-- In the order of the hashes: two sets with the same tasks in another order would wait for each other for ever.
queued AS (
  INSERT INTO queue (scheduler, held, rank, created_at, id, hash, organisation, plugin, image, deduplication_key)
  SELECT $1, EXISTS (SELECT FROM rota_pausing($1, organisation, plugin)),
    rank, created_at, id, hash, organisation, plugin, image, deduplication_key
  FROM ranked
  WHERE fits AND NOT taken
  ORDER BY hash, n
  ON CONFLICT (hash, scheduler) DO NOTHING
  RETURNING id
),
accepted AS MATERIALIZED (SELECT r.* FROM ranked r JOIN queued USING (id)),
{schedules}
stored AS (
  INSERT INTO tasks (
    id, scheduler_id, schedule_id, organisation, type, hash, priority, data, status, created_at, modified_at, traceparent)
  SELECT a.id, $1, s.id, a.organisation, $2, a.hash,
    coalesce(a.priority, least(a.rank, 2147483647)), a.data, 'QUEUED', a.created_at, a.created_at,
    a.traceparent
  FROM accepted a LEFT JOIN scheduled s USING (hash)
  RETURNING id, schedule_id, CASE WHEN $6::boolean THEN rota_task_json(tasks) END AS task
)
-- Joined by hash and by a hashed set: a plan that compares each item with each other one takes most of a push's time.
SELECT a.n, 'queued' AS outcome, s.id AS schedule_id, coalesce(s.corrects, false) AS corrects,
  coalesce(s.inherited, false) AS inherited, stored.task
FROM accepted a JOIN stored USING (id) LEFT JOIN scheduled s USING (hash)
UNION ALL
SELECT a.n, CASE WHEN a.taken THEN 'id-taken' WHEN NOT a.fits THEN 'queue-full' ELSE 'already-queued' END, NULL, false, false, NULL
FROM admitted a WHERE a.id NOT IN (SELECT id FROM queued)
ORDER BY n
