-- Whether anything of an organisation was ever seen: its boefjes in Katalogus, or a task.
-- returns known
-- $1 organisation
SELECT EXISTS (SELECT FROM seen_boefjes s WHERE s.organisation = $1)
  OR EXISTS (SELECT FROM tasks t WHERE t.organisation = $1) AS known
