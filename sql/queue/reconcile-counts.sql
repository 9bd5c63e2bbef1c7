-- Tasks that changed in the last day, before there was a trigger to count them.
INSERT INTO task_counts AS c (scheduler, organisation, hour, status, count)
SELECT scheduler_id, organisation, date_trunc('hour', modified_at, 'UTC'), status, count(*)
FROM tasks WHERE modified_at > now() - interval '26 hours'
  AND modified_at < (SELECT applied_at FROM rota_migrations WHERE name = '0005_counts')
GROUP BY 1, 2, 3, 4
ON CONFLICT (scheduler, organisation, hour, status) DO UPDATE SET count = c.count + EXCLUDED.count
