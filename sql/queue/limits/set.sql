-- Sets a limit or a window. One that only has other numbers keeps its version: nothing that is queued need be looked at again. Run with
-- the lock of lock.sql held.
-- returns is_new (there was none of this name)
-- $1 a JSON object of its columns, with spacing_ms
WITH given AS MATERIALIZED (
  SELECT * FROM json_to_record($1::text::json) AS g (name varchar, kind varchar, scheduler varchar, organisation varchar, plugin varchar,
    image varchar, ooi_type varchar, template varchar, spacing_ms float8, burst integer, concurrency integer, exempt_manual boolean,
    hours jsonb, note varchar, set_by varchar)
),
now_set AS (
  INSERT INTO limits AS l (name, kind, scheduler, organisation, plugin, image, ooi_type, template, spacing, burst, concurrency,
    exempt_manual, hours, note, set_by, version)
  SELECT name, kind, scheduler, organisation, plugin, image, ooi_type, template, spacing_ms * interval '1 millisecond', burst, concurrency,
    exempt_manual, hours, note, set_by, nextval('limit_versions')
  FROM given
  ON CONFLICT (name) DO UPDATE
  SET kind = EXCLUDED.kind, scheduler = EXCLUDED.scheduler, organisation = EXCLUDED.organisation, plugin = EXCLUDED.plugin,
      image = EXCLUDED.image, ooi_type = EXCLUDED.ooi_type, template = EXCLUDED.template, spacing = EXCLUDED.spacing,
      burst = EXCLUDED.burst, concurrency = EXCLUDED.concurrency, exempt_manual = EXCLUDED.exempt_manual, hours = EXCLUDED.hours,
      note = coalesce(EXCLUDED.note, l.note), set_by = EXCLUDED.set_by, changed_at = now(), removed_at = NULL,
      version = CASE WHEN l.removed_at IS NULL AND (l.kind, l.scheduler, l.organisation, l.plugin, l.image, l.ooi_type, l.template, l.exempt_manual)
          IS NOT DISTINCT FROM (EXCLUDED.kind, EXCLUDED.scheduler, EXCLUDED.organisation, EXCLUDED.plugin, EXCLUDED.image,
            EXCLUDED.ooi_type, EXCLUDED.template, EXCLUDED.exempt_manual) THEN l.version ELSE EXCLUDED.version END,
      applied_at = CASE WHEN l.removed_at IS NULL AND (l.kind, l.scheduler, l.organisation, l.plugin, l.image, l.ooi_type, l.template, l.exempt_manual)
          IS NOT DISTINCT FROM (EXCLUDED.kind, EXCLUDED.scheduler, EXCLUDED.organisation, EXCLUDED.plugin, EXCLUDED.image,
            EXCLUDED.ooi_type, EXCLUDED.template, EXCLUDED.exempt_manual) THEN l.applied_at END
  RETURNING (xmax = 0) AS is_new
)
SELECT is_new FROM now_set
