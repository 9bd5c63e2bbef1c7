-- The deadline that was asked for: by a person, or what enabled the schedule again. While deadline_at is that one,
-- failures do not delay the run; as with interval_deadline, no statement that sets another deadline need know of this
-- column.
ALTER TABLE schedules ADD COLUMN asked_deadline timestamptz;
