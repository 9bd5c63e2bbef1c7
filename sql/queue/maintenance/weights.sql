-- Organisations whose share is not 1.
-- returns scheduler, organisation, weight
SELECT scheduler, organisation, weight FROM fairness WHERE weight <> 1 ORDER BY scheduler, organisation
