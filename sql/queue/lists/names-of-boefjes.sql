-- Boefjes that Katalogus told of, in the first $3 organisations, that begin with $1.
-- returns name
-- $1 beginning, $2 names at most, $3 organisations that are read at most
SELECT DISTINCT name
FROM (SELECT boefjes FROM seen_boefjes ORDER BY organisation LIMIT $3) AS s, unnest(s.boefjes) AS name
WHERE starts_with(name, $1)
ORDER BY name
LIMIT $2
