-- Of tasks that a person put first, organisations take turns too: their ranks are below those that a patch can give
-- (int4), and have virtual times of their own.
ALTER TABLE virtual_times ADD COLUMN manual boolean NOT NULL GENERATED ALWAYS AS (rank < -2147483648) STORED;
ALTER TABLE virtual_times DROP CONSTRAINT virtual_times_pkey, ADD PRIMARY KEY (scheduler, image, manual);

-- Where the next tasks of flows begin (docs/queue-semantics.md, "Fair share"): a flow is the tasks of one organisation
-- and image, those that a person put first apart (`manual`).
-- wanted: a JSON array of {n, organisation, image ('' of tasks without one), manual}, each flow once. n: any number,
-- which names it. A join on n is estimated well; on the three others, as one row, and what follows compared each task
-- with each (5 s a set of 10 000).
-- unsaved: virtual times of the supervisor that asks, which may not be stored yet: a JSON array of {image, rank}.
-- returns for each n the virtual time of its image; starts, the rank that its next task follows; and its organisation's
-- weight.
--
-- Locks the scheduler until the transaction ends, so that what two supervisors push at once does not get the same
-- ranks. In plpgsql, each statement has a snapshot of its own: the reads see what was committed before the lock was
-- had, in one round trip.
--
-- An image with no task that may be popped has no virtual time of its own. It joins again at the head of the queue,
-- which is where workers without a filter are; where nothing waits, at the greatest there was. That is stored, and
-- counts from then on.
CREATE FUNCTION rota_flows(of_scheduler varchar, wanted json, unsaved json)
RETURNS TABLE (n integer, virtual_time bigint, starts bigint, weight double precision)
LANGUAGE plpgsql VOLATILE ROWS 200 AS $$
#variable_conflict use_column
DECLARE
  floor_rank bigint;
  floor_made timestamptz;
  -- Asked once: of a set of a thousand flows three looks at each become one.
  pauses_hold boolean;
  are_weighted boolean;
BEGIN
  IF json_array_length(wanted) = 0 THEN
    RETURN;
  END IF;
  PERFORM pg_advisory_xact_lock(7682120, hashtext(of_scheduler));
  SELECT f.rank, f.created_at INTO floor_rank, floor_made FROM queue_floors f WHERE f.scheduler = of_scheduler;
  floor_rank := coalesce(floor_rank, -9223372036854775808);
  floor_made := coalesce(floor_made, '-infinity');
  pauses_hold := EXISTS (SELECT FROM pauses p WHERE p.scheduler = of_scheduler AND p.ended_at IS NULL);
  are_weighted := EXISTS (SELECT FROM fairness w WHERE w.scheduler = of_scheduler AND w.weight <> 1);
  RETURN QUERY
  WITH flows AS MATERIALIZED (
    SELECT f.n, f.organisation, f.image, f.manual
    FROM json_to_recordset(wanted) AS f (n integer, organisation varchar, image varchar, manual boolean)
  ),
  risen AS MATERIALIZED (
    SELECT u.image, u.rank < -2147483648 AS manual, max(u.rank) AS rank
    FROM json_to_recordset(unsaved) AS u (image varchar, rank bigint)
    GROUP BY 1, 2
  ),
  -- Clients name images: no push reads the times of all.
  known AS MATERIALIZED (
    SELECT i.image, i.manual, greatest(
      (SELECT v.rank FROM virtual_times v WHERE v.scheduler = of_scheduler AND v.image = i.image AND v.manual = i.manual),
      (SELECT r.rank FROM risen r WHERE r.image = i.image AND r.manual = i.manual)) AS rank
    FROM (SELECT DISTINCT f.image, f.manual FROM flows f) AS i
  ),
  heads AS MATERIALIZED (
    SELECT m.manual, CASE
      WHEN m.manual THEN (SELECT q.rank FROM queue q
        WHERE q.scheduler = of_scheduler AND NOT q.held AND q.rank < -2147483648 AND (q.rank, q.created_at) >= (floor_rank, floor_made)
        ORDER BY q.rank, q.created_at LIMIT 1)
      ELSE (SELECT q.rank FROM queue q
        WHERE q.scheduler = of_scheduler AND NOT q.held AND q.rank > 1 AND (q.rank, q.created_at) >= (floor_rank, floor_made)
        ORDER BY q.rank, q.created_at LIMIT 1) END AS rank
    FROM (SELECT DISTINCT f.manual FROM flows f) AS m
  ),
  images AS MATERIALIZED (
    SELECT k.image, k.manual, k.rank AS known, look.waits,
      CASE WHEN look.waits THEN k.rank ELSE greatest(k.rank, coalesce(h.rank, (
        SELECT greatest(
          (SELECT max(v.rank) FROM virtual_times v WHERE v.scheduler = of_scheduler AND v.manual = k.manual),
          (SELECT max(r.rank) FROM risen r WHERE r.manual = k.manual),
          CASE WHEN k.manual THEN -4503599627370496 ELSE 1 END)))) END AS own
    FROM known k JOIN heads h USING (manual), LATERAL (
      SELECT CASE WHEN k.rank IS NULL THEN NULL
        -- Of a person's there are few, at the head.
        WHEN k.manual THEN (SELECT true FROM queue q
          WHERE q.scheduler = of_scheduler AND NOT q.held AND q.rank < -2147483648
            AND (q.rank, q.created_at) >= (floor_rank, floor_made) AND coalesce(q.image, '') = k.image
          LIMIT 1)
        ELSE (SELECT true FROM queue q
          WHERE coalesce(q.image, '') = k.image AND q.scheduler = of_scheduler AND NOT q.held AND q.rank > 1
          LIMIT 1) END AS waits
    ) AS look
  ),
  joined AS (
    INSERT INTO virtual_times AS v (scheduler, image, rank)
    SELECT of_scheduler, i.image, i.own FROM images i
    WHERE i.waits IS NULL AND i.known IS DISTINCT FROM i.own
    ORDER BY i.image, i.manual DESC
    ON CONFLICT ON CONSTRAINT virtual_times_pkey DO UPDATE SET rank = EXCLUDED.rank WHERE v.rank < EXCLUDED.rank
  )
  SELECT f.n, i.own, greatest(i.own, CASE
      WHEN f.manual THEN (SELECT q.rank FROM queue q
        WHERE coalesce(q.image, '') = f.image AND q.scheduler = of_scheduler AND NOT q.held AND q.organisation = f.organisation
          AND q.rank < -2147483648
        ORDER BY q.rank DESC LIMIT 1)
      ELSE (SELECT q.rank FROM queue q
        WHERE coalesce(q.image, '') = f.image AND q.scheduler = of_scheduler AND NOT q.held AND q.organisation = f.organisation
          AND q.rank > 1
        ORDER BY q.rank DESC LIMIT 1) END, CASE
      -- What is held counts where the whole organisation is paused: another plug-in of it need not wait for a paused
      -- one.
      WHEN NOT pauses_hold OR NOT EXISTS (SELECT FROM rota_pausing(of_scheduler, f.organisation, NULL)) THEN NULL
      WHEN f.manual THEN (SELECT q.rank FROM queue q
        WHERE coalesce(q.image, '') = f.image AND q.scheduler = of_scheduler AND q.held AND q.organisation = f.organisation
          AND q.rank < -2147483648
        ORDER BY q.rank DESC LIMIT 1)
      ELSE (SELECT q.rank FROM queue q
        WHERE coalesce(q.image, '') = f.image AND q.scheduler = of_scheduler AND q.held AND q.organisation = f.organisation
          AND q.rank > 1
        ORDER BY q.rank DESC LIMIT 1) END),
    CASE WHEN are_weighted THEN coalesce(
      (SELECT w.weight FROM fairness w WHERE w.scheduler = of_scheduler AND w.organisation = f.organisation), 1) ELSE 1 END
  FROM flows f JOIN images i USING (image, manual);
END
$$;

-- How far a task of this cost moves its flow: by 1 at least, and no further than 2^53 allows nine million times.
-- Rounded as Math.round
-- does: Deal (src/queue/push/requeue.ts) computes the same.
CREATE FUNCTION rota_step(cost double precision, weight double precision) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN greatest(1, least(1000000000, floor(cost / weight + 0.5)))::integer;
