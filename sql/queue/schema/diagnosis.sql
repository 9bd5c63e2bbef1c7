-- What an operator should know about the database, in one row.
-- returns version, now_ms, size_bytes, invalid_indexes, cold_indexes (would end HOT updates of tasks), oldest_transaction_seconds,
-- dead_queue_rows, connections, max_connections, migrations (names), unreadable_crons (JSON text: [{boefje, cron, schedules}], most first)
SELECT
  current_setting('server_version') AS version,
  extract(epoch FROM clock_timestamp())::float8 * 1000 AS now_ms,
  pg_database_size(current_database())::float8 AS size_bytes,
  ARRAY(SELECT c.relname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = current_schema() AND NOT i.indisvalid) AS invalid_indexes,
  ARRAY(SELECT indexname::text FROM pg_indexes WHERE schemaname = current_schema() AND tablename = 'tasks'
    AND indexdef ~ '\m(status|priority|modified_at)\M') AS cold_indexes,
  (SELECT extract(epoch FROM now() - min(xact_start))::float8 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()) AS oldest_transaction_seconds,
  (SELECT n_dead_tup::float8 FROM pg_stat_user_tables WHERE relid = 'queue'::regclass) AS dead_queue_rows,
  (SELECT count(*)::integer FROM pg_stat_activity) AS connections,
  current_setting('max_connections')::integer AS max_connections,
  ARRAY(SELECT name::text FROM rota_migrations ORDER BY number) AS migrations,
  (SELECT coalesce(json_agg(u), '[]')::text FROM (
    SELECT coalesce(data -> 'boefje' ->> 'id', scheduler_id) AS boefje, schedule AS cron, count(*)::integer AS schedules
    FROM schedules WHERE NOT enabled AND disabled_reason = 'cron-unreadable'
    GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2) u) AS unreadable_crons
