-- Tasks that are no longer failed or cancelled: mula retried them.
DELETE FROM rare_outcomes o WHERE NOT EXISTS (SELECT FROM tasks t WHERE t.id = o.task_id AND t.status = o.status)
