-- How the last attempt at a task went, those before it, and who intervened (docs/queue-semantics.md, "History"). Nullable and without a
-- default, so that nothing is rewritten; no index names one, so that changes of status stay HOT. While a task is under way, its
-- lease knows worker and claimed_at: claims write none of these.
ALTER TABLE tasks
  ADD COLUMN worker varchar,
  ADD COLUMN claimed_at timestamptz,
  ADD COLUMN started_at timestamptz, -- the patch to running
  ADD COLUMN ended_at timestamptz, -- modified_at moves when the same status is reported again
  ADD COLUMN error jsonb, -- {code, message, detail}
  ADD COLUMN attempts_before jsonb, -- the last ten that did not complete, oldest first
  ADD COLUMN changed jsonb; -- who last cancelled, retried or released it: {action, by, why, at}
-- What completes is 45 bytes longer than what was pushed. At 50 every ninth completion found its page full, wrote indexes and was a fifth
-- slower; a tenth more pages leave room for it.
ALTER TABLE tasks SET (fillfactor = 45);
