-- Removes counts that are too old for any answer.
DELETE FROM task_counts WHERE hour < now() - interval '30 hours'
