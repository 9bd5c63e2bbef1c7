-- The deadline that the interval of its boefje set. While deadline_at is that one, the next is counted from it, without the
-- drift of each run; a deadline that a person, an enabling or the grace period set is another one, so no statement that
-- sets deadline_at need know of this column.
ALTER TABLE schedules ADD COLUMN interval_deadline timestamptz;

-- Which cron, interval or operations the schedules of a boefje were last made true to, by boefje; null where they were never
-- looked at. A changed one moves its deadlines at the next look.
ALTER TABLE seen_boefjes ADD COLUMN recurrences jsonb;
