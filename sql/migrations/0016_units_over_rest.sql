-- What a claim over REST leaves behind: which tasks came together, and whether a runner began them.
-- docs/queue-semantics.md, "Over REST". Constant defaults: no table is rewritten, and older supervisors go on beside it.

-- The claim that a member of a group came with. Null for a task by itself, and over NATS, where each task is reported.
ALTER TABLE leases ADD COLUMN unit uuid;
-- Over REST: the task was patched since it was claimed.
ALTER TABLE leases ADD COLUMN begun boolean NOT NULL DEFAULT false;
-- Partial: a lease without a group pays a comparison. At once: `leases` is as long as there are tasks under way.
CREATE INDEX leases_unit ON leases (unit) WHERE unit IS NOT NULL;

-- Of a task that came back since no runner began it: leases.unit of that claim. Read by queue_group.
ALTER TABLE queue ADD COLUMN unit uuid;

-- Claims over REST that no runner began, since the last retry. Not indexed: changes of status stay HOT.
ALTER TABLE tasks ADD COLUMN unbegun integer NOT NULL DEFAULT 0;
