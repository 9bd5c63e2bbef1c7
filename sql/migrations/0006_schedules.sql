-- The schedule as it stands on the wire: the ten keys of kat-contract §1, timestamps in UTC with microseconds.
CREATE FUNCTION rota_schedule_json(schedule schedules) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT concat(
    '{"id":"', schedule.id,
    '","scheduler_id":', to_json(schedule.scheduler_id),
    ',"organisation":', to_json(schedule.organisation),
    ',"hash":', coalesce(to_json(schedule.hash)::text, 'null'),
    ',"data":', schedule.data,
    ',"enabled":', schedule.enabled::text,
    ',"schedule":', coalesce(to_json(schedule.schedule)::text, 'null'),
    ',"deadline_at":', coalesce('"' || rota_timestamp(schedule.deadline_at) || '"', 'null'),
    ',"created_at":"', rota_timestamp(schedule.created_at),
    '","modified_at":"', rota_timestamp(schedule.modified_at), '"}')
$$;
