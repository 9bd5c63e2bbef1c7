-- Pauses that ended a minute ago: by then every requester of a push has given up (actors/host.ts), so none commits held rows.
DELETE FROM pauses WHERE ended_at < now() - interval '1 minute'
