-- $1 scheduler
DELETE FROM virtual_times WHERE scheduler = $1
