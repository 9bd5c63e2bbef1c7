-- Whose client has the lease: its NATS inbox, its REST token or address. Null for what was claimed before, which counts to none.
ALTER TABLE leases ADD COLUMN holder varchar;
