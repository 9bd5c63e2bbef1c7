-- What is queued stands in a narrow table whose primary key is the pop order; `tasks` stays the durable record and is
-- updated HOT. docs/queue-semantics.md says why, with the numbers.

-- A row exists exactly while its task is QUEUED: the statement that changes the one changes the other.
CREATE TABLE queue (
  scheduler         varchar NOT NULL,
  held              boolean NOT NULL DEFAULT false, -- paused: off the claim's path, so that a pause never scans
  rank              bigint NOT NULL,                -- lower goes first
  created_at        timestamptz NOT NULL,           -- the task's
  id                uuid NOT NULL,                  -- the task's
  hash              varchar(32) NOT NULL,
  organisation      varchar NOT NULL,
  plugin            varchar,
  image             varchar,
  deduplication_key varchar,
  PRIMARY KEY (scheduler, held, rank, created_at, id)
) WITH (
  -- Rows live for seconds to hours and every claim walks the index's left edge: dead entries there are what slows it.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);

-- A hash is queued once per scheduler: the database guarantees it, not a lock in memory.
CREATE UNIQUE INDEX queue_hash ON queue (scheduler, hash);
-- Runner filters: two images out of fourteen, or one that matches nothing, without reading a million rows.
CREATE INDEX queue_image ON queue (scheduler, image, held, rank, created_at, id);
CREATE INDEX queue_plugin ON queue (scheduler, plugin, held, rank, created_at, id);
CREATE INDEX queue_organisation ON queue (scheduler, organisation, held, rank, created_at, id);
CREATE INDEX queue_group ON queue (scheduler, deduplication_key) WHERE deduplication_key IS NOT NULL;

-- Who holds a claimed task, and until when (the database's clock). Gone when the task is finished or queued again.
-- `rest` marks whoever names no lease: unmodified runners, and a patch that enters dispatched or running on its own.
CREATE TABLE leases (
  task_id    uuid PRIMARY KEY,
  lease_id   uuid NOT NULL,
  scheduler  varchar NOT NULL,
  worker     varchar,
  via        varchar NOT NULL CHECK (via IN ('nats', 'rest')),
  until      timestamptz NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now()
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);
CREATE INDEX leases_until ON leases (until);

-- Claims of a task so far. A column of `tasks` since the claim updates that row anyway; mula ignores it.
ALTER TABLE tasks ADD COLUMN attempts integer NOT NULL DEFAULT 0;
-- Why a task ended as it did, for people: `superseded`, `ooi-gone`, `lease-expired`, …
ALTER TABLE tasks ADD COLUMN reason varchar;
-- Tasks are claimed in the order in which they were written, whole pages at once: half a page must be free for that, or
-- every third update is not HOT (measured at 60). Pages written before
-- stay as they are. `autovacuum_vacuum_scale_factor` of 0.2 would let a hundred million rows wait for twenty million dead ones.
ALTER TABLE tasks SET (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02
);

ALTER TABLE schedules ADD COLUMN disabled_reason varchar;
-- True where `schedule` is the boefje's cron: it goes when the boefje's goes, a person's stays.
ALTER TABLE schedules ADD COLUMN inherited boolean NOT NULL DEFAULT false;
-- Due schedules are claimed for a while, so that two supervisors never examine one at once.
ALTER TABLE schedules ADD COLUMN claimed_until timestamptz;

-- Failed and cancelled tasks, which are rare: lists by status read this instead of an index that would end HOT.
CREATE TABLE rare_outcomes (
  scheduler    varchar NOT NULL,
  status       taskstatus NOT NULL CHECK (status IN ('FAILED', 'CANCELLED')),
  created_at   timestamptz NOT NULL,
  task_id      uuid NOT NULL UNIQUE,
  organisation varchar NOT NULL,
  PRIMARY KEY (scheduler, status, created_at, task_id)
);

-- Which boefjes were seen enabled: a restart must not take what it finds for new (#4410).
CREATE TABLE seen_boefjes (
  organisation varchar PRIMARY KEY,
  boefjes      varchar[] NOT NULL,
  looked_at    timestamptz NOT NULL DEFAULT now()
);

-- fair-share: the last tag given in each organisation, moved in the transaction of the push.
CREATE TABLE fairness (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  tag          bigint NOT NULL,
  weight       double precision NOT NULL DEFAULT 1,
  PRIMARY KEY (scheduler, organisation)
);

-- When a supervisor last swept: what mula made while it was back is newer than that. One row.
CREATE TABLE rota_alive (
  one bool PRIMARY KEY DEFAULT true CHECK (one),
  at  timestamptz NOT NULL
);
