-- Some queued tasks of an organisation whose boefje is not among those that may run in it.
-- returns hash, plugin
-- $1 scheduler, $2 organisation, $3 boefjes that may run, $4 rows at most
SELECT q.hash, q.plugin FROM queue q
WHERE q.scheduler = $1 AND q.organisation = $2 AND q.plugin <> ALL ($3::text[]) LIMIT $4
