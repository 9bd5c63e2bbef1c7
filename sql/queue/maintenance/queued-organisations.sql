-- The organisations with the most queued tasks, and all others together: from the roll-up, a second old at most.
-- returns scheduler, organisation (null: the others), queued
-- $1 schedulers, $2 organisations of each at most
SELECT scheduler, organisation, sum(count)::float8 AS queued
FROM (
  SELECT scheduler, count, CASE WHEN place <= $2 THEN organisation END AS organisation
  FROM (
    SELECT scheduler, organisation, count,
      row_number() OVER (PARTITION BY scheduler ORDER BY count DESC, organisation) AS place
    FROM queued_organisations
    WHERE scheduler = ANY ($1) AND count > 0
  ) AS placed
) AS named
GROUP BY scheduler, organisation
