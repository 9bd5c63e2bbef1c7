-- This supervisor ends in order: no heartbeat is sent to it any more.
-- $1 this supervisor
UPDATE supervisors SET gone = true WHERE instance = $1
