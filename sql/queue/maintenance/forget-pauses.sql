-- Pauses that ended a minute ago: whoever asked for a push has given up by then (actors/host.ts), so none commits held rows.
DELETE FROM pauses WHERE ended_at < now() - interval '1 minute'
