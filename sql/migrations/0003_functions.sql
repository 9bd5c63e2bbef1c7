-- What more than one statement needs, once.

-- The task as it stands on the wire: the eleven keys of kat-contract §1, timestamps in UTC with microseconds.
CREATE FUNCTION rota_timestamp(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;

CREATE FUNCTION rota_task_json(task tasks) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT concat(
    '{"id":"', task.id,
    '","scheduler_id":', to_json(task.scheduler_id),
    ',"schedule_id":', coalesce('"' || task.schedule_id || '"', 'null'),
    ',"organisation":', to_json(task.organisation),
    ',"priority":', coalesce(task.priority, 0),
    ',"status":"', lower(task.status::text),
    '","type":', to_json(task.type),
    ',"hash":', coalesce(to_json(task.hash)::text, 'null'),
    ',"data":', task.data,
    ',"created_at":"', rota_timestamp(task.created_at),
    '","modified_at":"', rota_timestamp(task.modified_at), '"}')
$$;

-- What the queue keeps of a task's data for filters and groups, where no application code is at hand (a task that goes
-- back to the queue, adoption). Equal to `columns` of src/tasks/data.ts: a test compares the two.
CREATE FUNCTION rota_queue_columns(type varchar, data jsonb)
RETURNS TABLE (plugin varchar, image varchar, deduplication_key varchar)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT
    CASE type
      WHEN 'boefje' THEN data #>> '{boefje,id}'
      WHEN 'normalizer' THEN data #>> '{normalizer,id}'
      WHEN 'report' THEN data ->> 'report_recipe_id'
    END,
    CASE type WHEN 'boefje' THEN data #>> '{boefje,oci_image}' END,
    CASE type WHEN 'boefje' THEN data ->> 'deduplication_key' END
$$;

-- src/tasks/status.ts in SQL, where a statement decides about a set: a test compares the two.
CREATE FUNCTION rota_may_follow(was taskstatus, becomes taskstatus) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT was NOT IN ('COMPLETED', 'FAILED', 'CANCELLED') OR becomes = was OR becomes = 'QUEUED'
$$;
