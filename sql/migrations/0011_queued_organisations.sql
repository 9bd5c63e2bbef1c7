-- What is queued by organisation: metrics ask for it at each scrape, and counting a queue of ten million takes seconds.
-- Kept by whoever folds task_changes; filled by the next start, which finds it empty (recount-queued.sql).
CREATE TABLE queued_organisations (
  scheduler    varchar NOT NULL,
  organisation varchar NOT NULL,
  count        bigint NOT NULL,
  PRIMARY KEY (scheduler, organisation)
) WITH (fillfactor = 50);
