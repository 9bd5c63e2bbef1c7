-- This supervisor ends in order.
-- $1 this supervisor
DELETE FROM instances WHERE instance = $1
