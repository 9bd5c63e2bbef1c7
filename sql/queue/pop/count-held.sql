-- How many leases a client has: once in a while, and only of one that may have half of what it is allowed (held-leases.ts).
-- $1 holder
SELECT count(*)::integer AS held FROM leases WHERE holder = $1
