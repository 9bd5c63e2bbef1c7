-- mula's schema at alembic revision 0010, for a database that has never seen mula. On one that has, this migration is
-- recorded as done: the tables are there already. Columns, types and names are mula's own (kat-contract §8).

CREATE TYPE taskstatus AS ENUM ('PENDING', 'QUEUED', 'DISPATCHED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED');

CREATE TABLE schedules (
  id           uuid PRIMARY KEY,
  scheduler_id varchar NOT NULL,
  organisation varchar NOT NULL,
  hash         varchar(32) UNIQUE,
  data         jsonb NOT NULL,
  enabled      boolean NOT NULL,
  schedule     varchar,
  deadline_at  timestamptz,
  created_at   timestamptz NOT NULL DEFAULT now(),
  modified_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE tasks (
  id           uuid PRIMARY KEY,
  scheduler_id varchar NOT NULL,
  schedule_id  uuid REFERENCES schedules (id) ON DELETE SET NULL,
  organisation varchar NOT NULL,
  type         varchar NOT NULL,
  hash         varchar(32),
  priority     integer,
  data         jsonb NOT NULL,
  status       taskstatus NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  modified_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX ix_tasks_hash ON tasks (hash);
CREATE INDEX ix_tasks_status_queued ON tasks (scheduler_id, status) WHERE status = 'QUEUED';

CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0010');
