-- Tasks of an organisation that are handed out and have not begun, whose boefje is not among those that may run in it.
-- returns id, organisation, plugin
-- $1 scheduler, $2 organisation, $3 boefjes that may run
SELECT t.id, t.organisation, t.data #>> '{boefje,id}' AS plugin
FROM leases l JOIN tasks t ON t.id = l.task_id
WHERE l.scheduler = $1 AND t.status = 'DISPATCHED' AND t.organisation = $2
  AND t.data #>> '{boefje,id}' <> ALL ($3::text[])
