-- $1 ids, $2 the hash of each
UPDATE tasks t SET hash = h.hash FROM unnest($1::uuid[], $2::varchar[]) AS h (id, hash) WHERE t.id = h.id
