-- Who did what: one row for each action of an operator, kept for 90 days (docs/operations.md, "Audit"). And why a pause was made.
CREATE TABLE audit_log (
  id           uuid PRIMARY KEY, -- in the order of time
  at           timestamptz NOT NULL,
  by           varchar, -- null where the caller gave no name
  command      varchar NOT NULL,
  organisation varchar,
  fields       jsonb NOT NULL,
  refused      varchar -- the code of the error where it was not done
);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_organisation ON audit_log (organisation, id) WHERE organisation IS NOT NULL;

ALTER TABLE pauses ADD COLUMN note varchar;
