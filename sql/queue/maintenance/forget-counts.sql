-- Removes the counts that nobody asks for any more.
DELETE FROM task_counts WHERE hour < now() - interval '30 hours'
