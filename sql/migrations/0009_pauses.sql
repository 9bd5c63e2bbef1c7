-- What operators paused: all of a scheduler, or what has this organisation, this plug-in, or both. A paused row of the
-- queue is `held`: off the claim's path, so that a claim never looks at it. Whoever inserts a queue row asks here.
CREATE TABLE pauses (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  scheduler    varchar NOT NULL,
  organisation varchar, -- null: every one
  plugin       varchar, -- null: every one
  paused_by    varchar,
  since        timestamptz NOT NULL DEFAULT now(),
  -- Resumed: holds nothing any more. Kept for a while, since a push that began before may still commit held rows.
  ended_at     timestamptz
);
-- One pause per key, and the way to those of a scheduler.
CREATE UNIQUE INDEX pauses_key ON pauses (scheduler, coalesce(organisation, ''), coalesce(plugin, '')) WHERE ended_at IS NULL;
CREATE INDEX pauses_scheduler ON pauses (scheduler);

-- The pauses that hold a task. In FROM it is inlined into the statement that asks: no call per row.
CREATE FUNCTION rota_pausing(of_scheduler varchar, of_organisation varchar, of_plugin varchar) RETURNS SETOF uuid
LANGUAGE sql STABLE AS $$
  SELECT p.id FROM pauses p
  WHERE p.scheduler = of_scheduler AND p.ended_at IS NULL
    AND (p.organisation IS NULL OR p.organisation = of_organisation)
    AND (p.plugin IS NULL OR p.plugin = of_plugin)
$$;
