-- A claim of due schedules writes `claimed_until` alone, which no index names: with room on its page the row's entries in five indexes
-- stay as they are. Pages written before stay as they are, and get room as their schedules move on.
ALTER TABLE schedules SET (fillfactor = 70);
