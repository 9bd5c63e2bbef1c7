-- Locks as rota_flows does, for all schedulers: no push may be reading where an image begins that is forgotten.
SELECT pg_advisory_xact_lock(7682120, hashtext(scheduler))
FROM (SELECT DISTINCT scheduler FROM virtual_times ORDER BY scheduler) AS s
