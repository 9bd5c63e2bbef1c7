-- Counts rows whose value could not be read.
-- $1 names of limits, $2 how many rows of each
UPDATE limits l SET fallbacks = l.fallbacks + f.count FROM unnest($1::varchar[], $2::bigint[]) AS f (name, count) WHERE l.name = f.name
