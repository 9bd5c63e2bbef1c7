-- What fair-share ranks by (docs/queue-semantics.md, "Fair share").

-- The greatest rank that was ever dispatched: an image's virtual time. It only rises.
CREATE TABLE virtual_times (
  scheduler varchar NOT NULL,
  image     varchar NOT NULL, -- '' of tasks without one
  rank      bigint NOT NULL,
  PRIMARY KEY (scheduler, image)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Tags are read off the queue now. The column stays for supervisors of the last release, which may run beside this one.
ALTER TABLE fairness ALTER COLUMN tag SET DEFAULT 0;

-- At 1 000 times another's share a task moves its organisation by 1, the least that there is. At a thousandth it moves it, and with it
-- the virtual time, by a million: 2^53 is 9 × 10^9 such tasks away.
ALTER TABLE fairness ADD CONSTRAINT fairness_weight CHECK (weight >= 0.001 AND weight <= 1000);

-- The rank with which the task was popped: it goes back to the same place. `priority` is mula's, of 32 bits.
ALTER TABLE leases ADD COLUMN rank bigint;

-- The virtual time of an image ('' of tasks without one). One with no task that may be popped has none of its own: it joins again at the
-- greatest of its scheduler.
CREATE FUNCTION rota_virtual_time(of_scheduler varchar, of_image varchar) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(
    CASE WHEN EXISTS (SELECT FROM queue q WHERE coalesce(q.image, '') = of_image AND q.scheduler = of_scheduler AND NOT q.held)
      THEN (SELECT v.rank FROM virtual_times v WHERE v.scheduler = of_scheduler AND v.image = of_image) END,
    (SELECT max(v.rank) FROM virtual_times v WHERE v.scheduler = of_scheduler),
    1)
$$;
