-- What broke, and its end: one row for each, kept for 30 days and 10 000 of them at most (docs/operations.md, "What broke?").
CREATE TABLE incidents (
  id       uuid PRIMARY KEY, -- in the order of time
  at       timestamptz NOT NULL,
  instance varchar NOT NULL, -- the supervisor that saw it, or that it is about
  about    varchar NOT NULL,
  happened varchar NOT NULL,
  why      varchar
);
CREATE INDEX incidents_at ON incidents (at);

-- Supervisors that have not ended, and when each was last seen: one that stays silent has vanished, and another one says so.
CREATE TABLE instances (
  instance varchar PRIMARY KEY,
  since    timestamptz NOT NULL, -- from then on it was seen each half minute at least
  seen_at  timestamptz NOT NULL
) WITH (fillfactor = 50); -- an update every ten seconds stays in its page
