-- Sets limits or windows. One that only has other numbers keeps its version: nothing that is queued need be looked at again. A default
-- that Katalogus gives changes neither what an operator set nor what an operator ended. Run with the lock of lock.sql held.
-- returns name, is_new (there was none of this name), of those that are set or changed
-- $1 a JSON array of their columns, with spacing_ms
WITH given AS MATERIALIZED (
  SELECT g.*, l.name IS NULL OR l.removed_at IS NOT NULL AS is_new,
    CASE WHEN l.removed_at IS NULL AND (l.kind, l.scheduler, l.organisation, l.plugin, l.image, l.ooi_type, l.template, l.exempt_manual)
      IS NOT DISTINCT FROM (g.kind, g.scheduler, g.organisation, g.plugin, g.image, g.ooi_type, g.template, g.exempt_manual)
      THEN l.version ELSE nextval('limit_versions') END AS version
  FROM json_to_recordset($1::text::json) AS g (name varchar, kind varchar, scheduler varchar, organisation varchar, plugin varchar,
      image varchar, ooi_type varchar, template varchar, spacing_ms float8, burst integer, concurrency integer, exempt_manual boolean,
      hours jsonb, note varchar, set_by varchar, by_katalogus boolean)
    LEFT JOIN limits l ON l.name = g.name
  WHERE NOT g.by_katalogus OR l.name IS NULL OR l.by_katalogus <> (l.removed_at IS NOT NULL)
),
now_set AS (
  INSERT INTO limits AS l (name, kind, scheduler, organisation, plugin, image, ooi_type, template, spacing, burst, concurrency,
    exempt_manual, hours, note, set_by, by_katalogus, version, revisit)
  SELECT name, kind, scheduler, organisation, plugin, image, ooi_type, template, spacing_ms * interval '1 millisecond', burst, concurrency,
    exempt_manual, hours, note, set_by, by_katalogus, version, ''
  FROM given
  ON CONFLICT (name) DO UPDATE
  SET kind = EXCLUDED.kind, scheduler = EXCLUDED.scheduler, organisation = EXCLUDED.organisation, plugin = EXCLUDED.plugin,
      image = EXCLUDED.image, ooi_type = EXCLUDED.ooi_type, template = EXCLUDED.template, spacing = EXCLUDED.spacing,
      burst = EXCLUDED.burst, concurrency = EXCLUDED.concurrency, exempt_manual = EXCLUDED.exempt_manual, hours = EXCLUDED.hours,
      note = coalesce(EXCLUDED.note, l.note), set_by = EXCLUDED.set_by, by_katalogus = EXCLUDED.by_katalogus, changed_at = now(),
      removed_at = NULL, version = EXCLUDED.version, revisit = EXCLUDED.revisit,
      -- What is claimed was not counted for a limit that had no concurrency.
      applied_at = CASE WHEN l.version = EXCLUDED.version AND (l.concurrency IS NOT NULL OR EXCLUDED.concurrency IS NULL) THEN l.applied_at END,
      counted_at = CASE WHEN l.version = EXCLUDED.version AND (l.concurrency IS NOT NULL OR EXCLUDED.concurrency IS NULL) THEN l.counted_at END
  WHERE NOT EXCLUDED.by_katalogus OR l.version <> EXCLUDED.version OR l.spacing <> EXCLUDED.spacing
  RETURNING name
)
SELECT g.name, g.is_new FROM given g JOIN now_set USING (name)
