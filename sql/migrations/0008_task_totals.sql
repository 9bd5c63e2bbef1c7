-- Tasks by status, whatever their age: what mula counts from the whole table for each scrape of its metrics (#3826).
-- Kept by whoever folds task_changes; filled by the next start, which finds it empty (recount.sql).
CREATE TABLE task_totals (
  scheduler varchar NOT NULL,
  status    taskstatus NOT NULL,
  count     bigint NOT NULL,
  PRIMARY KEY (scheduler, status)
) WITH (fillfactor = 50);
