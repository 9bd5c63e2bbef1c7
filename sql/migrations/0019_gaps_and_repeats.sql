-- What outlives an outage: leases that could not be renewed, and changes whose answer was lost.
-- docs/queue-semantics.md, "Gaps" and "Repeats". No table is rewritten, and older supervisors go on beside it.

-- When the lease got its `until`: the difference is its length, by thirds of which its holder renews it.
ALTER TABLE leases ADD COLUMN renewed_at timestamptz NOT NULL DEFAULT now();

-- The lease whose holder ended or gave back the task last: the same patch again is answered as the first time. Written by the
-- update that changes the status, and not indexed: 16 bytes a row.
ALTER TABLE tasks ADD COLUMN settled_by uuid;

-- When each supervisor could record a heartbeat last: the database took its statement, and NATS answered it. `gone`: it was
-- drained, and NATS sends it nothing any more.
CREATE TABLE supervisors (
  instance uuid PRIMARY KEY,
  heard_at timestamptz NOT NULL,
  gone     boolean NOT NULL DEFAULT false
);
-- Periods in which a supervisor could not. Kept for a day.
CREATE TABLE gaps (
  began_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL
);
-- What ran out while the Rota before this one was away.
INSERT INTO gaps SELECT at, now() FROM rota_alive;

-- A supervisor says so each second: after three it was frozen, or without database or NATS.
CREATE FUNCTION rota_is_silent(heard_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE AS $$ SELECT heard_at < now() - interval '3 seconds' $$;

-- Gaps that have ended, and those of supervisors that are silent now. A NATS server pings every 5 s and gives a client up after
-- two misses, so after 20 s it sends heartbeats to the others.
CREATE VIEW known_gaps AS
  SELECT NULL::uuid AS instance, began_at, ended_at FROM gaps
  UNION ALL
  SELECT instance, heard_at, least(now(), heard_at + interval '20 seconds')
  FROM supervisors WHERE NOT gone AND rota_is_silent(heard_at);

-- How long after a gap a lease of this length is spared: until its holder has had a turn to renew it. A gap shorter than a third
-- of the lease takes one turn of three, so that a lease of hours need not wait for hours.
CREATE FUNCTION rota_grace_after(gap interval, lease interval) RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT least(greatest(lease, interval '0') / 3 + interval '1 second', greatest(gap, interval '60 seconds'))
$$;
