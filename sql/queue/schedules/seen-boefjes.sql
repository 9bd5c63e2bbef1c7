-- Which boefjes were seen enabled; an organisation that was never looked at has no row.
-- returns organisation, boefjes, recurrences (JSON by boefje; null where they were never looked at)
-- $1 organisations (null: all)
SELECT organisation, boefjes::text[] AS boefjes, recurrences FROM seen_boefjes
WHERE $1::text[] IS NULL OR organisation = ANY ($1::text[])
