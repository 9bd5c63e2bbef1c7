-- A lease over NATS is short until its holder has spoken: docs/queue-semantics.md, "The first lease". Constant defaults: no table
-- is rewritten, and older supervisors go on beside it.

-- `begun` was of claims over REST alone. What is out over NATS already has the length that its holder asked for. First, so that no
-- table is locked while rows are written.
UPDATE leases SET begun = true WHERE via = 'nats' AND NOT begun;

-- Milliseconds that the lease gets when its holder first speaks, where that is longer than what it began with; null from then on.
ALTER TABLE leases ADD COLUMN asked_ms integer;

-- Whether this supervisor lengthens a lease when a patch begins its task. While one is there that does not, leases begin long.
ALTER TABLE supervisors ADD COLUMN lengthens boolean NOT NULL DEFAULT false;
