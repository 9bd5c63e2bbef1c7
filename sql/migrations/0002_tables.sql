-- Rota's own tables, and its columns of mula's. What is queued stands in a narrow table whose primary key is the pop order;
-- `tasks` stays the durable record and is updated HOT. docs/queue-semantics.md says why, with the numbers.

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
  unit              uuid, -- leases.unit of the claim that no runner began, after which the task came back
  PRIMARY KEY (scheduler, held, rank, created_at, id)
) WITH (
  -- Rows live for seconds to hours and every claim walks the index's left edge: dead entries there are what slows it.
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 50000,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);

-- In this order: where the estimates of two indexes are equal, the order of their making may decide.
-- Runner filters: two images out of fourteen, or one that matches nothing, without reading a million rows. Only boefje tasks have
-- an image: without the others each normalizer and report task is spared an entry, 6 of the 77 µs that Postgres takes for one
-- in a set of a thousand.
CREATE INDEX queue_plugin ON queue (scheduler, plugin, held, rank, created_at, id);
CREATE INDEX queue_organisation ON queue (scheduler, organisation, held, rank, created_at, id);
CREATE INDEX queue_images ON queue (scheduler, image, held, rank, created_at, id) WHERE image IS NOT NULL;
-- A hash is queued once per scheduler: the database guarantees it, not a lock in memory. A look-up by hash or group needs an index
-- that begins with it: while the tables count as small, an index that begins with the scheduler costs no more by estimate, and
-- reads all of the scheduler's rows: 43 ms instead of 1.1 a pop with 120 000 queued. docs/queue-semantics.md, "Tables".
CREATE UNIQUE INDEX queue_hashes ON queue (hash, scheduler);
CREATE INDEX queue_groups ON queue (deduplication_key, scheduler) WHERE deduplication_key IS NOT NULL;

-- The low-water mark of each scheduler's queue: no row below it may be popped. Claims start there instead of at the left edge of
-- the index, where the entries of what was popped lie until a vacuum takes them away: a minute's worth of pops by default, and
-- all since the beginning of an old snapshot (a backup, a forgotten transaction). docs/queue-semantics.md, "low-water mark".
CREATE TABLE queue_floors (
  scheduler  varchar PRIMARY KEY,
  rank       bigint NOT NULL,
  created_at timestamptz NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- Who holds a claimed task, and until when (the database's clock). Gone when the task is finished or queued again. `rest` also
-- marks a holder that names no lease: unmodified runners, and a patch that enters dispatched or running on its own.
CREATE TABLE leases (
  task_id    uuid PRIMARY KEY,
  lease_id   uuid NOT NULL,
  scheduler  varchar NOT NULL,
  worker     varchar,
  via        varchar NOT NULL CHECK (via IN ('nats', 'rest')),
  until      timestamptz NOT NULL,
  claimed_at timestamptz NOT NULL DEFAULT now(),
  unit       uuid, -- over REST: the claim that a member of a group came with
  begun      boolean NOT NULL DEFAULT false, -- the holder has said something of the task since the claim
  renewed_at timestamptz NOT NULL DEFAULT now(), -- when the lease got its `until`: the difference is its length
  asked_ms   integer, -- the length that it gets when its holder first speaks, where that is longer; then null
  holder     varchar -- the client: its NATS inbox, its REST token or address
) WITH (
  fillfactor = 70,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
  autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 20000
);
CREATE INDEX leases_until ON leases (until);
-- Partial: a lease without a group pays a comparison.
CREATE INDEX leases_unit ON leases (unit) WHERE unit IS NOT NULL;

-- Failed and cancelled tasks, which are rare: lists by status read this instead of an index that would end HOT.
CREATE TABLE rare_outcomes (
  scheduler    varchar NOT NULL,
  status       taskstatus NOT NULL CHECK (status IN ('FAILED', 'CANCELLED')),
  created_at   timestamptz NOT NULL,
  task_id      uuid NOT NULL UNIQUE,
  organisation varchar NOT NULL,
  PRIMARY KEY (scheduler, status, created_at, task_id)
);

-- Which boefjes were seen enabled: a restart must not take what it finds for new (#4410). `recurrences`: the cron, interval or
-- operations that the schedules of each boefje were last made true to; null where they were never looked at. A changed one
-- moves its deadlines at the next look.
CREATE TABLE seen_boefjes (
  organisation varchar PRIMARY KEY,
  boefjes      varchar[] NOT NULL,
  looked_at    timestamptz NOT NULL DEFAULT now(),
  recurrences  jsonb
);

-- fair-share: the last tag given in each organisation, moved in the transaction of the push.
CREATE TABLE fairness (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  tag          bigint NOT NULL,
  weight       double precision NOT NULL DEFAULT 1,
  PRIMARY KEY (scheduler, organisation)
);

-- What operators paused: all of a scheduler, or what has this organisation, this plug-in, or both. A paused row of the
-- queue is `held`: off the claim's path, so that a claim never looks at it. Each statement that inserts a queue row asks here.
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

-- When a supervisor last swept: what mula made while it was back is newer than that. One row.
CREATE TABLE rota_alive (
  one bool PRIMARY KEY DEFAULT true CHECK (one),
  at  timestamptz NOT NULL
);

-- When each supervisor could record a heartbeat last: the database took its statement, and NATS answered it.
CREATE TABLE supervisors (
  instance  uuid PRIMARY KEY,
  heard_at  timestamptz NOT NULL,
  gone      boolean NOT NULL DEFAULT false, -- drained: NATS sends it nothing any more
  -- The process id of the session of Postgres that wrote `heard_at`. It outlives a freeze, and not a process that was killed.
  backend   integer,
  -- Whether it lengthens a lease when a patch begins its task. While one is there that does not, leases begin long.
  lengthens boolean NOT NULL DEFAULT false
);
-- Periods in which a supervisor could not. Kept for a day.
CREATE TABLE gaps (
  began_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL
);

-- Tasks per hour of their last change and status: what /tasks/stats answers with, where no index on `tasks` may help.
-- A trigger sees every change, mula's and a person's too. It writes one row a statement, however many tasks that changed: rows of
-- deltas by organisation cost a fifth of a claim, arrays a twentieth. The sweeper folds them into task_counts.
CREATE TABLE task_changes (
  schedulers    varchar[] NOT NULL,
  organisations varchar[] NOT NULL,
  statuses      taskstatus[] NOT NULL,
  moments       timestamptz[] NOT NULL,
  delta         integer NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE task_counts (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  hour         timestamptz NOT NULL,
  status       taskstatus NOT NULL,
  count        bigint NOT NULL,
  PRIMARY KEY (scheduler, organisation, hour, status)
);
CREATE INDEX task_counts_hour ON task_counts (hour);

-- Tasks of any age by status: what mula counts from the whole table for each scrape of its metrics (#3826).
-- Kept by the fold of task_changes; filled by the next start, which finds it empty (recount.sql).
CREATE TABLE task_totals (
  scheduler varchar NOT NULL,
  status    taskstatus NOT NULL,
  count     bigint NOT NULL,
  PRIMARY KEY (scheduler, status)
) WITH (fillfactor = 50);

-- What is queued by organisation: metrics ask for it at each scrape, and counting a queue of ten million takes seconds.
-- Kept by the fold of task_changes; filled by the next start, which finds it empty (recount-queued.sql).
CREATE TABLE queued_organisations (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  count        bigint NOT NULL,
  PRIMARY KEY (scheduler, organisation)
) WITH (fillfactor = 50);

-- Last, since they lock mula's tables against everybody until the end of the transaction. mula ignores our columns.
-- Tasks are claimed in the order in which they were written, whole pages at once: half a page must be free for that, or
-- every third update is not HOT (measured at 60). Pages written before stay as they are. `autovacuum_vacuum_scale_factor` of 0.2
-- would let a hundred million rows wait for twenty million dead ones.
ALTER TABLE tasks SET (
  fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 50000,
  autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.02
);
-- None is indexed: changes of status stay HOT.
ALTER TABLE tasks
  -- Claims of the task so far.
  ADD COLUMN attempts integer NOT NULL DEFAULT 0,
  -- Why it ended as it did, for people: `superseded`, `ooi-gone`, `lease-expired`, …
  ADD COLUMN reason varchar,
  -- W3C trace context of the push, where traces are exported: a task may be popped minutes later, by another supervisor.
  ADD COLUMN traceparent varchar,
  -- Claims over REST that no runner began, since the last retry.
  ADD COLUMN unbegun integer NOT NULL DEFAULT 0,
  -- The lease whose holder ended or gave back the task last: the same patch again is answered as the first time.
  ADD COLUMN settled_by uuid;
ALTER TABLE schedules
  ADD COLUMN disabled_reason varchar,
  -- True where `schedule` is the boefje's cron: it goes when the boefje's goes, a person's stays.
  ADD COLUMN inherited boolean NOT NULL DEFAULT false,
  -- Due schedules are claimed for a while, so that two supervisors never examine one at once.
  ADD COLUMN claimed_until timestamptz,
  -- The deadline that the interval of its boefje set. While deadline_at is that one, the next is counted from it, without the
  -- drift of each run; a deadline that a person, an enabling or the grace period set is another one, so no statement that
  -- sets deadline_at need know of this column.
  ADD COLUMN interval_deadline timestamptz;
