-- All limits and windows, removed ones too as long as they hold rows.
-- returns what the table has; spacing in milliseconds, times in epoch milliseconds; now_ms; is_applying: rows of before may be free; is_revisited: keys are to be
-- looked at by other numbers (revisit.sql)
SELECT name, kind, scheduler, organisation, plugin, image, ooi_type, template, extract(epoch FROM spacing)::float8 * 1000 AS spacing_ms,
  burst, concurrency, exempt_manual, hours, note, set_by, version::float8 AS version, rota_timestamp(changed_at) AS changed_at,
  applied_at IS NULL AND removed_at IS NULL AS is_applying, removed_at IS NOT NULL AS removed,
  revisit IS NOT NULL AS is_revisited, admitted::float8 AS admitted, waited,
  fallbacks::float8 AS fallbacks, extract(epoch FROM now())::float8 * 1000 AS now_ms
FROM limits
WHERE removed_at IS NULL OR removed_at > now() - interval '1 minute'
  OR EXISTS (SELECT FROM queue q WHERE q.held AND q.parked >= limits.name || '/' AND q.parked < limits.name || '0')
ORDER BY name
